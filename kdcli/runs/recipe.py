"""Recipes: the defaults of all stages of one experiment, as dataclasses and as TOML.

[data]       the dataset and its options
[teacher]    the teacher's model and training
[students]   the students' models and training, their targets and seeds
"""

import codecs
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kdcli.data import DATASETS, find_dataset
from kdcli.errors import Command, KdError, UsageError, nearest, unknown
from kdcli.models import FAMILIES, SYNTAX, Model, parse_model
from kdcli.runs.completion import trained_and_example_models
from kdcli.settings import read, rules, setting, shown
from kdcli.targets import TARGETS, find_target

PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda")
SCHEDULES = ("constant", "linear")
SELECTIONS = ("last", "best")
BUILTIN = Path(__file__).parent.parent / "recipes"  # not by importlib.resources, which starts slowly
COMMENT = 100  # columns of a comment in a recipe
PANEL = "Training"  # of the help pages, for what most people leave as it is


class RecipeError(UsageError):
    """A recipe that cannot be read, with every problem found in it."""


@dataclass(frozen=True)
class Training:
    """How a model is trained by gradients: Adam for a number of epochs."""

    epochs: int = setting(
        500, "number of passes over the training split", minimum=1, panel=PANEL, of="model", paired=True
    )
    batch_size: int = setting(
        0, "examples per step; 0 takes the whole split", minimum=0, panel=PANEL, of="model", paired=True
    )
    learning_rate: float = setting(
        1e-3, "Adam's learning rate", above=0, panel=PANEL, of="model", paired=True
    )
    select: str = setting(
        "last",
        "the epoch whose model is kept: the last, or the one with the best validation NLL",
        choices=SELECTIONS,
        panel=PANEL,
        of="model",
        paired=True,
    )


@dataclass(frozen=True)
class Teacher(Training):
    """The teacher's model and training."""

    model: str = setting(
        "mlp:64,64",
        "the teacher's model",
        check=parse_model,
        values=SYNTAX,
        metavar="MODEL",
        completion=tuple(family.EXAMPLE for family in FAMILIES.values()),
    )
    seed: int = setting(0, "random seed of the initial weights and the batch order", minimum=0)
    precision: str = setting(
        "auto", "numerical precision of matrix products", choices=PRECISIONS, panel=PANEL, of="model"
    )
    schedule: str = setting(
        "constant",
        "learning-rate schedule (linear decays to 0)",
        choices=SCHEDULES,
        panel=PANEL,
        of="model",
    )
    device: str = setting("auto", "device to train on", choices=DEVICES, panel=PANEL, of="model")


def applies(config: type, key: str, model: Model) -> bool:
    """Whether a setting of a teacher or of students has an effect on this model."""
    return rules(config)[key].of != "model" or model.takes(key)


@dataclass(frozen=True)
class Students(Training):
    """The students' models, what they are taught, and the training of those that learn by gradients."""

    models: tuple[str, ...] = setting(
        ("mlp:4",),
        "the students' models, each trained on every target",
        check=parse_model,
        values=SYNTAX,
        flag="--model",
        metavar="MODEL",
        completion=trained_and_example_models,
        item_starts=tuple(FAMILIES),
        each="model",
        paired=True,
        grouping=True,
    )
    targets: tuple[str, ...] = setting(
        ("labels", "hard", "soft"),
        "the targets to train students on",
        check=find_target,
        choices=tuple(TARGETS),
        flag="--target",
        short="-t",
        each="target",
    )
    temperatures: tuple[float, ...] = setting(
        (4.0,),
        "temperature of soft targets, one student set for each",
        minimum=0.01,
        maximum=1000,
        flag="--temperature",
        short="-T",
        metavar="T",
        each="temperature",
        of="target",
        tag="T",
    )
    smoothing: float = setting(
        0.1,
        "ε of smooth targets: the probability spread evenly over all classes",
        above=0,
        below=1,
        panel=PANEL,
        of="target",
        tag="e",
        sign="ε",
    )
    label_weight: float = setting(
        0.0, "weight of the true labels in the loss", minimum=0, maximum=1, panel=PANEL, tag="w"
    )
    transfer_size: int = setting(
        0,
        "size of the transfer set, drawn class by class from the training split; 0 takes the whole split",
        minimum=0,
        panel=PANEL,
        tag="n",
        paired=True,
        grouping=True,
    )
    seeds: int = setting(
        10, "replicates of each student in each draw, with seeds 0, 1, …", minimum=1, paired=True
    )


@dataclass(frozen=True)
class Recipe:
    """One experiment: `data` is an instance of the config class of `DATASETS[dataset]`."""

    dataset: str
    data: Any
    teacher: Teacher
    students: Students


def parse(text: str, source: str) -> Recipe:
    """Read a recipe from TOML; raises `RecipeError` naming `source` and **all** problems."""
    import tomllib

    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also of a number with too many digits
        raise RecipeError(f"{source} is not valid TOML: {error}") from None
    sections = {key: tables.pop(key, {}) for key in ("data", "teacher", "students")}
    problems = [
        f"{key}: no such section{nearest(key, sections)}; sections: data, teacher, students" for key in tables
    ]
    for key, table in sections.items():
        if not isinstance(table, dict):
            problems.append(f"{key}: must be a section, [{key}]")
            sections[key] = {}
    data_table = dict(sections["data"])
    dataset = data_table.pop("dataset", None)
    data = None
    if not isinstance(dataset, str) or dataset not in DATASETS:
        wrong = "missing" if dataset is None else f"no dataset {shown(dataset)}"
        problems.append(f"data.dataset: {wrong}; datasets: {', '.join(DATASETS)}")
    else:
        kind = find_dataset(dataset)
        data, found = read(kind.config, data_table, "data")
        problems += found or [f"data: {text}" for text in kind.problems(data)]
    teacher, found = read(Teacher, sections["teacher"], "teacher")
    problems += found
    students_table = dict(sections["students"])
    students, found = read(Students, students_table, "students")
    problems += found
    if problems or data is None or teacher is None or students is None or dataset is None:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise RecipeError(
            f"{source} has {count}:" + "".join(f"\n  {text}" for text in problems),
            ("correct the file; ", Command("run", options={"help": True}), " tells what a recipe is"),
        )
    return Recipe(dataset, data, teacher, students)


def dump(recipe: Recipe) -> str:
    """Write a recipe as TOML that `parse` reads back as it was.

    Above every key a comment says what it means, and which values it takes.
    """
    kind = find_dataset(recipe.dataset)
    dataset = [*_comment(f"the dataset: {', '.join(DATASETS)}"), f"dataset = {_toml(recipe.dataset)}"]
    sections = [
        [f"[data]  # {kind.summary}", *dataset, *_keys(recipe.data)],
        [f"[teacher]  # {_first_line(Teacher)}", *_keys(recipe.teacher)],
        [f"[students]  # {_first_line(Students)}", *_keys(recipe.students)],
    ]
    return "\n\n".join(map("\n".join, sections)) + "\n"


def _keys(config: Any) -> Iterator[str]:
    """Yield the lines of a section's keys."""
    defaults = {field.name: field.default for field in fields(config)}
    for key, rule in rules(type(config)).items():
        words = f"{rule.help}: {rule.values}" if rule.values else rule.help
        range_ = f"{rule.allowed}; " if rule.allowed else ""
        yield from [*_comment(words), f"#   {range_}default: {_toml(defaults[key])}"]
        yield f"{key} = {_toml(getattr(config, key))}"


def _first_line(config: type) -> str:
    """Return the first line of a docstring as a comment: in small letters, without a full stop."""
    line = (config.__doc__ or "").splitlines()[0].rstrip(".")
    return line[:1].lower() + line[1:]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, COMMENT, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)


def _toml(value: Any) -> str:
    """Write a value as TOML, a list on one line unless that is long."""
    import tomli_w

    text = tomli_w.dumps({"": value}).removeprefix('"" = ').rstrip("\n")
    if isinstance(value, tuple):
        short = f"[{', '.join(map(_toml, value))}]"
        return short if len(short) <= COMMENT else text
    return text


def builtin_names() -> list[str]:
    """Names of the recipes that come with kd: its files, and the defaults for each dataset without one."""
    return sorted({*DATASETS, *(path.stem for path in BUILTIN.glob("*.toml"))})


def builtin(name: str) -> Recipe:
    """Return a recipe that comes with kd; raises `UsageError` with the nearest name."""
    return parse(builtin_text(name), f"the built-in recipe {name}")


def builtin_text(name: str) -> str:
    """Return a recipe that comes with kd as it is written; raises `UsageError` with the nearest name."""
    if name not in builtin_names():
        raise unknown("recipe", name, builtin_names(), "A file of your own ends in .toml")
    path = BUILTIN / f"{name}.toml"
    if not path.exists():
        return dump(Recipe(name, find_dataset(name).config(), Teacher(), Students()))
    return path.read_text(encoding="utf-8")


def load(name: str) -> Recipe:
    """Return a built-in recipe by its name, or the recipe in a file whose name ends in .toml."""
    if not name.endswith(".toml"):
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
    """Return the text of a recipe file, whatever editor wrote it: with a byte-order mark, with any line ends.

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
