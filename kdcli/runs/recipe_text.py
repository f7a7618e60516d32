"""Recipes as TOML text, with a comment on the meaning and the allowed values of every key."""

import textwrap
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from kdcli.data import DATASETS, find_dataset
from kdcli.runs.recipe import Recipe, Students, Teacher
from kdcli.settings import rules

COMMENT = 100  # columns of a comment in a recipe


def dump(recipe: Recipe) -> str:
    """Write a recipe as TOML that `parse` reads back unchanged.

    A comment above every key gives its meaning and its allowed values.
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
    """Return the first line of a docstring as a comment: beginning in lower case, without a full stop."""
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
