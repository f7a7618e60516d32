"""Finding recipes: those that come with kd by name, and the user's own files."""

import codecs
import os
from pathlib import Path

from kdcli.data import DATASETS, find_dataset
from kdcli.errors import KdError, unknown
from kdcli.runs.recipe import Recipe, Students, Teacher
from kdcli.runs.recipe_reading import RecipeError, parse
from kdcli.runs.recipe_text import dump

BUILTIN = Path(__file__).parent.parent / "recipes"  # not by importlib.resources, which starts slowly
SUFFIX = ".toml"


def names_recipe(source: str) -> bool:
    """Whether a source is a recipe, built in or a file, rather than a file or folder of data."""
    return source.endswith(SUFFIX) or source in builtin_names()


def builtin_names() -> list[str]:
    """Names of the recipes that come with kd: its files, and the defaults for each dataset without one."""
    return sorted({*DATASETS, *(path.stem for path in BUILTIN.glob(f"*{SUFFIX}"))})


def builtin(name: str) -> Recipe:
    """Return a recipe that comes with kd; raises `UsageError` with the nearest name."""
    return parse(builtin_text(name), f"the built-in recipe {name}")


def builtin_text(name: str) -> str:
    """Return the text of a recipe that comes with kd; raises `UsageError` with the nearest name."""
    if name not in builtin_names():
        raise unknown("recipe", name, builtin_names(), f"A file of your own ends in {SUFFIX}")
    path = BUILTIN / f"{name}{SUFFIX}"
    if not os.path.exists(path):
        return dump(Recipe(name, find_dataset(name).config(), Teacher(), Students()))
    return path.read_text(encoding="utf-8")


def load(name: str) -> Recipe:
    """Return a built-in recipe by its name, or the recipe in a file whose name ends in .toml."""
    if not name.endswith(SUFFIX):
        return builtin(name)
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        known = ", ".join(builtin_names())
        raise KdError(
            f"cannot read the recipe {name}: {error.strerror}", f"built-in recipes: {known}"
        ) from None
    return parse(decode(content, name), name)


def decode(content: bytes, source: str) -> str:
    """Return the text of a recipe file, with or without a byte-order mark and with any line endings.

    Raises `RecipeError` naming `source` if it is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        other = ", but UTF-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ""
        raise RecipeError(
            f"{source} is not valid TOML: it is not UTF-8 text{other}", "save it as UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
