"""`kd recipe`: a recipe with every key, its meaning and its allowed values."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from kdcli.commands import spell
from kdcli.errors import Command
from kdcli.report.told import File, Told
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_text import dump
from kdcli.runs.recipes import builtin_text, load


@dataclass(frozen=True)
class RecipeShown:
    """A recipe, and its text as commented TOML."""

    name: str
    recipe: Recipe
    text: str

    def told(self) -> Iterator[Told]:
        """Return the recipe as TOML."""
        yield File(self.text)

    def document(self) -> dict[str, Any]:
        """Return the tables of the recipe."""
        recipe = self.recipe
        return {
            "name": self.name,
            "data": {"dataset": recipe.dataset, **asdict(recipe.data)},
            "teacher": asdict(recipe.teacher),
            "students": asdict(recipe.students),
        }


def recipe(name: str) -> RecipeShown:
    """Return a built-in recipe, or that of a .toml file; raises `KdError` if there is none."""
    shown = load(name)
    head = []
    if not name.endswith(".toml"):
        comment = takewhile(lambda line: line.startswith("#"), builtin_text(name).splitlines())
        head = list(comment) or [f"# {spell(Command('run', (name,)))}"]
        head += [
            f"# To change it: {spell(Command('recipe', (name,)))} > mine.toml, then edit mine.toml, then "
            f"{spell(Command('run', ('mine.toml',)))}",
            "",
        ]
    return RecipeShown(name, shown, "\n".join([*head, dump(shown)]))
