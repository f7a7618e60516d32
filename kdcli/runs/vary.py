"""Sweep files: a recipe, or a base and changes to it, and the settings that vary from run to run.

    base = "moons"                               # a built-in recipe, a recipe file, or a file of data
    [vary]
    "data.noise" = [0.1, 0.2, 0.3]               # any key of a recipe
    "students.transfer_size" = {from = 100, to = 1000, steps = 3, scale = "log"}

A section `[vary]` makes all combinations of its values; of several sections `[[vary]]`, each makes its own.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from kdcli.data import DATASETS
from kdcli.errors import UsageError
from kdcli.runs.recipe import Recipe, Students, Teacher
from kdcli.runs.recipe_reading import RecipeError, from_tables, refusal
from kdcli.settings import LARGEST, shown
from kdcli.store import fitting

MOST_RUNS = 100_000
RANGE = frozenset({"from", "to", "steps", "scale"})
SCALES = ("linear", "log")
DIGITS = 6  # significant digits inside a range, to keep names short; its ends are kept exactly
TOLD = 20  # problems listed in a message
SECTIONS = ("data", "teacher", "students")
FILES = "files"  # a key outside the sections: the folder of a published dataset


@dataclass(frozen=True)
class Planned:
    """One run of a study: its name, its recipe, and the values of the keys that vary, in their order."""

    name: str
    recipe: Recipe
    varied: Mapping[str, Any]


def planned(tables: Mapping[str, Any], source: str) -> list[Planned]:
    """Return the runs of a sweep file whose base is filled in, with distinct names.

    Raises `RecipeError` naming `source` and **all** problems of all runs, or the number of runs if that is
    too large.
    """
    base = {key: value for key, value in tables.items() if key not in ("vary", FILES)}
    products, problems = _products(tables.get("vary"))
    if problems:
        raise refusal(source, problems)
    count = sum(math.prod(map(len, product.values())) for product in products)
    if count > MOST_RUNS:
        raise RecipeError(
            f"{source} asks for {count:,} runs, but a study has at most {MOST_RUNS:,}",
            "vary fewer keys or values at a time",
        )
    combinations = list(_combinations(products))
    recipes, found = [], dict[str, None]()
    for varied in combinations:
        recipe, wrong = from_tables(_with(base, varied))
        found |= dict.fromkeys(wrong)
        recipes.append(recipe)
    if found:
        told = list(found)
        more = [f"and {len(told) - TOLD} more"] if len(told) > TOLD else []
        raise refusal(source, [*told[:TOLD], *more])
    once: dict[Recipe, dict[str, Any]] = {}  # a value may be written in several ways, such as 1 and 1.0
    for recipe, varied in zip(recipes, combinations, strict=True):
        if recipe is not None:
            once.setdefault(recipe, varied)
    names, keys = _names(list(once.values())), list(values_of(once.values()))
    return [
        Planned(name, recipe, _in_recipe(recipe, keys, varied))
        for name, (recipe, varied) in zip(names, once.items(), strict=True)
    ]


def _in_recipe(recipe: Recipe, keys: Sequence[str], varied: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of keys in a recipe, including keys that only other [[vary]] sections vary.

    A list of one item is written as the item. A key that the recipe stores under another name keeps its given
    value.
    """
    values = {}
    for key in keys:
        section, _, name = key.partition(".")
        value = (
            recipe.dataset
            if key == "data.dataset"
            else getattr(getattr(recipe, section), name, varied.get(key))
        )
        if isinstance(value, tuple):
            value = value[0] if len(value) == 1 else list(value)
        if value is not None:
            values[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    return values


def _products(vary: Any) -> tuple[list[dict[str, list[Any]]], list[str]]:
    """Return the values of each key in each section, or all problems."""
    sections = vary if isinstance(vary, list) else [vary]
    if not sections or not all(isinstance(section, dict) and section for section in sections):
        return [], ['vary: a section [vary] must say what varies, such as "data.noise" = [0.1, 0.2]']
    products, problems = [], []
    for section in sections:
        values = {}
        for key, raw in _flat(section):
            given, problem = ([], "is given twice") if key in values else _values(key, raw)
            problems += [f"vary.{key}: {problem}"] if problem else []
            values[key] = given
        products.append(values)
    return products, problems


def _flat(section: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """Yield keys such as "data.noise" with their values, whether the file quotes them or nests tables."""
    for key, value in section.items():
        if isinstance(value, dict) and value and RANGE.isdisjoint(value):
            yield from _flat(value, f"{start}{key}.")
        else:
            yield start + key, value


def _values(key: str, raw: Any) -> tuple[list[Any], str]:
    """Return the values of a key, or what is wrong with them."""
    section, _, name = key.partition(".")
    if section not in SECTIONS or not name:
        return [], f"must be a key of a section, {', '.join(f'{known}.KEY' for known in SECTIONS)}"
    if isinstance(raw, dict):
        return _range(raw)
    if not isinstance(raw, list) or not raw:
        return [], f"must be a list of values, or {{from, to, steps}}, not {shown(raw)}"
    return raw, ""


def _range(raw: Mapping[str, Any]) -> tuple[list[Any], str]:
    """Return the numbers of a range; they are whole if its ends are."""
    low: Any = raw.get("from")
    high: Any = raw.get("to")
    steps, scale = raw.get("steps"), raw.get("scale", SCALES[0])
    ends = (low, high)
    if other := sorted(set(raw) - RANGE):
        return [], f"a range has no key {', '.join(other)}; keys: from, to, steps, scale"
    if not all(type(end) in (int, float) and abs(end) <= LARGEST for end in ends):
        return [], "a range needs numbers `from` and `to`"
    if type(steps) is not int or not 2 <= steps <= MOST_RUNS:
        return [], f"a range needs from 2 to {MOST_RUNS:,} `steps`, not {shown(steps)}"
    if scale not in SCALES:
        return [], f"`scale` must be one of {', '.join(SCALES)}, not {shown(scale)}"
    if scale == "log" and min(ends) <= 0:
        return [], "a range on a logarithmic scale needs ends above 0"
    whole = all(type(end) is int for end in ends)
    between = [_between(low, high, k / (steps - 1), scale) for k in range(1, steps - 1)]
    inner = [round(value) if whole else float(f"{value:.{DIGITS}g}") for value in between]
    return list(dict.fromkeys([low, *inner, high])), ""


def _between(low: float, high: float, share: float, scale: str) -> float:
    if scale == "log":
        return float(low * (high / low) ** share)
    return low + share * (high - low)


def _combinations(products: Sequence[Mapping[str, list[Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the values of all keys of each run, once each; the last key varies fastest."""
    seen = set()
    for product in products:
        for values in itertools.product(*product.values()):
            varied = dict(zip(product, values, strict=True))
            key = repr(sorted(varied.items()))
            if key not in seen:
                seen.add(key)
                yield varied


def _with(base: Mapping[str, Any], varied: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of a recipe with these values; keys that take a list get a list of one item."""
    tables = deepcopy(dict(base))
    students = tables.get("students")
    if isinstance(students, dict) and not {"students.transfer", "students.transfer_size"}.isdisjoint(varied):
        students.pop("transfer", None)  # two spellings of one setting
        students.pop("transfer_size", None)
    for key, value in varied.items():
        section, _, name = key.partition(".")
        table = tables.setdefault(section, {})
        if isinstance(table, dict):
            table[name] = value
    kinds: dict[str, Any] = {"teacher": Teacher, "students": Students, **_kind_of_data(tables)}
    for key, value in varied.items():
        section, _, name = key.partition(".")
        several = section in kinds and isinstance(getattr(kinds[section](), name, None), tuple)
        if several and isinstance(tables[section], dict) and not isinstance(value, list):
            tables[section][name] = [value]
    return tables


def _kind_of_data(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config class of the data section, by its name; empty if the dataset is unknown."""
    data = tables.get("data")
    dataset = data.get("dataset") if isinstance(data, dict) else None
    return {"data": DATASETS[dataset].config} if isinstance(dataset, str) and dataset in DATASETS else {}


def _names(combinations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name runs after the values that vary, such as "noise-0.1_transfer-size-300"; names are distinct."""
    keys = list(varying(combinations))
    short = short_names(keys)
    names: dict[str, None] = {}
    for varied in combinations:
        parts = [f"{_plain(short[key])}-{_plain(varied[key])}" for key in keys if key in varied]
        name = fitting("_".join(parts) or "run")
        numbered = (fitting(f"{name}-{number}") for number in itertools.count(2))
        names[next(free for free in itertools.chain([name], numbered) if free not in names)] = None
    return list(names)


def _plain(value: Any) -> str:
    """Write a key or a value with only the characters that names may have."""
    if isinstance(value, list):
        return "-".join(map(_plain, value))
    text = f"{value:g}".replace("+", "") if isinstance(value, float) else str(value)
    return re.sub(r"[^A-Za-z0-9.]+", "-", text.replace("-", "m" if text[:1] == "-" else "-")).strip("-")


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return short names of keys: their last parts, or the whole keys if two have the same last part."""
    leaves = [key.partition(".")[2] for key in keys]
    return {key: leaf if leaves.count(leaf) == 1 else key for key, leaf in zip(keys, leaves, strict=True)}


def values_of(combinations: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the distinct values of each key, in order."""
    values: dict[str, dict[str, Any]] = {}
    for varied in combinations:
        for key, value in varied.items():
            values.setdefault(key, {}).setdefault(repr(value), value)
    return {key: list(known.values()) for key, known in values.items()}


def varying(combinations: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of keys that have several, or that some runs lack; if there are none, of all keys."""
    values = values_of(combinations)
    shared = {key for key in values if all(key in varied for varied in combinations)}
    several = {key: known for key, known in values.items() if len(known) > 1 or key not in shared}
    return several or values


def check_key(key: str, known: Sequence[str]) -> str:
    """Return the varied key with this name or last part; raises `UsageError` if there is not exactly one."""
    matches = [full for full in known if key in (full, full.partition(".")[2])]
    if len(matches) > 1:
        raise UsageError(f"--by {key} could be {' or '.join(matches)}", "give the whole key")
    if not matches:
        raise UsageError(f"--by {key}: no varied key has this name", f"varied keys: {', '.join(known)}")
    return matches[0]
