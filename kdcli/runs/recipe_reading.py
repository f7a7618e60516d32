"""Recipes read from TOML, with every problem found in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdcli.data import DATASETS, find_dataset
from kdcli.errors import Command, UsageError, nearest
from kdcli.runs.recipe import Recipe, Students, Teacher
from kdcli.settings import read, shown


class RecipeError(UsageError):
    """A recipe that cannot be read, with every problem found in it."""


def parse(text: str, source: str) -> Recipe:
    """Read a recipe from TOML; raises `RecipeError` naming `source` and **all** problems."""
    recipe, problems = from_tables(tables_of(text, source))
    if recipe is None:
        raise refusal(source, problems)
    return recipe


def tables_of(text: str, source: str) -> dict[str, Any]:
    """Read TOML; raises `RecipeError` naming `source` if it is invalid."""
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also for a number with too many digits
        raise RecipeError(f"{source} is not valid TOML: {error}") from None


def refusal(source: str, problems: Sequence[str]) -> RecipeError:
    """Return the error for a file with these problems."""
    count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    return RecipeError(
        f"{source} has {count}:" + "".join(f"\n  {text}" for text in problems),
        ("correct the file; ", Command("run", options={"help": True}), " tells what a recipe is"),
    )


def from_tables(given: Mapping[str, Any]) -> tuple[Recipe | None, list[str]]:
    """Return the recipe of these sections and no problems, or None and **all** problems."""
    tables = dict(given)
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
    problems += found or [f"teacher: {text}" for text in (teacher or Teacher()).problems]
    students, found = read(Students, _with_transfer(sections["students"]), "students")
    problems += found
    if problems or data is None or teacher is None or students is None or dataset is None:
        return None, problems
    return Recipe(dataset, data, teacher, students), []


def _with_transfer(table: dict[str, Any]) -> dict[str, Any]:
    """Return the students section with `transfer_size`, a shorter spelling, written as `transfer`."""
    size = table.get("transfer_size")
    if type(size) is not int or "transfer" in table:
        return table
    rest = {key: value for key, value in table.items() if key != "transfer_size"}
    return {**rest, "transfer": f"train:{size}" if size else "train"}
