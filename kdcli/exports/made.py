"""Synthetic rows: drawn column by column, or placed exactly at the thresholds of trees.

An exported student may be given to anyone. So the rows that come with it, to check it, are synthetic: each
column is drawn independently, numbers uniformly over most of their range and rounded, so that no row of the
data is given away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdcli.data.tables.encoding import Encoded, placed
from kdcli.exports.features import MOST_DAYS

if TYPE_CHECKING:
    from kdcli.data.tables.reading import Table
    from kdcli.models.computation import Trees

EPOCH = datetime(1970, 1, 1)
ANOTHER = "none of the others"  # a category that a column does not have; dashes make it so if necessary
LACKING = 0.1  # share of missing values in a column that may have some
RANGE = (0.05, 0.95)  # quantiles of a column between which numbers are drawn
DIGITS = 3  # significant digits of synthetic numbers


def made(columns: Sequence[Encoded], x: np.ndarray, n: int, random: np.random.Generator) -> list[list[Any]]:
    """Draw n synthetic rows of these columns, given the features `x (rows, features)` of training rows."""
    values = []
    for column, place in placed(columns):
        drawn = _drawn(column, x[:, place.start], n, random)
        if column.missing:
            lacking = random.random(n) < LACKING
            drawn = [None if lacks else value for value, lacks in zip(drawn, lacking, strict=True)]
        values.append(drawn)
    return [list(row) for row in zip(*values, strict=True)]


def made_features(x: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """Draw n rows of features, such as pixels: each feature has one of its values in `x (rows, features)`."""
    picked = random.integers(len(x), size=(n, x.shape[1]))
    return np.take_along_axis(x, picked, 0)


def _drawn(column: Encoded, x: np.ndarray, n: int, random: np.random.Generator) -> list[Any]:
    if column.kind == "category":
        levels = [*column.levels, *([another(column)] if column.others or not column.levels else [])]
        return [levels[k] for k in random.integers(len(levels), size=n)]
    if column.kind == "yes/no":
        return ["yes" if yes else "no" for yes in random.random(n) < 0.5]
    low, high = np.quantile(x.astype(np.float64), RANGE)
    numbers = [float(f"{value:.{DIGITS}g}") for value in random.uniform(low, high, n)]
    if column.kind == "date":
        return [_moment(column, round(number)) for number in numbers]
    whole = bool((x == np.round(x)).all())
    return [float(np.float32(round(number) if whole else number)) for number in numbers]


def another(column: Encoded) -> str:
    """Return a category that is none of a column's levels: a number if the levels are numbers."""
    if column.numeric:
        return str(round(max((float(level) for level in column.levels), default=0.0)) + 1)
    name = ANOTHER
    while name in column.levels:
        name += "-"
    return name


def rows_of(columns: Sequence[Encoded], x: np.ndarray) -> list[list[Any]]:
    """Return rows whose features are `x (n, features)`: the inverse of encoding."""
    values = [_values(column, x[:, place]) for column, place in placed(columns)]
    return [list(row) for row in zip(*values, strict=True)]


def _values(column: Encoded, x: np.ndarray) -> list[Any]:
    """Return the values of a column that have these features `(n, features of the column)`."""
    if column.kind == "category":
        names = [*column.levels, *([another(column)] if column.others else [])]
        unseen = another(column)
        found: list[Any] = (
            [names[row.argmax()] if row.any() else unseen for row in x[:, : len(names)] > 0]
            if names
            else [unseen] * len(x)
        )
    elif column.kind == "yes/no":
        found = ["yes" if value else "no" for value in x[:, 0]]
    elif column.kind == "date":
        found = [_moment(column, float(value)) for value in x[:, 0]]
    else:
        found = x[:, 0].astype(np.float64).tolist()
    if column.missing:
        return [None if lacks else value for value, lacks in zip(found, x[:, -1] > 0, strict=True)]
    return found


def _moment(column: Encoded, days: float) -> str:
    """Return the text of the date that is this number of days after 1970-01-01."""
    moment = EPOCH + timedelta(days=min(days, MOST_DAYS))
    if "%H" in column.format and "%.f" not in column.format:
        moment = (moment + timedelta(milliseconds=500)).replace(microsecond=0)
    form = column.format.replace("%.f", ".%f").replace("%Y", f"{moment.year:04}")
    return moment.strftime(form) if form else moment.isoformat()


def table_of(columns: Sequence[Encoded], rows: Sequence[Sequence[Any]]) -> Table:
    """Return rows as a table that kd can encode."""
    import polars as pl

    from kdcli.data.tables.reading import Table

    kinds = {"number": pl.Float64, "yes/no": pl.String, "category": pl.String, "date": pl.String}
    series = []
    for k, column in enumerate(columns):
        values = pl.Series(column.name, [row[k] for row in rows], kinds[column.kind])
        if column.kind == "date" and not column.format:
            values = values.str.to_datetime(time_unit="us")
        series.append(values)
    return Table(Path("synthetic rows"), pl.DataFrame(series), (), lambda row: f"row {row + 1}")


def at_thresholds(
    trees: Trees, measured: np.ndarray, x: np.ndarray, most: int, random: np.random.Generator
) -> np.ndarray:
    """Return examples from `x (n, features)` with one feature set to a threshold of a tree.

    It is also set to the next 32-bit number on either side. There are examples for at most `most` thresholds,
    and only for features that are `measured (features,)`.
    """
    pairs = np.unique(np.stack([trees.feature, trees.threshold.astype(np.float64)], 1), axis=0)
    pairs = pairs[measured[pairs[:, 0].astype(int)]]
    pairs = random.permutation(pairs)[:most]
    feature, threshold = pairs[:, 0].astype(int), pairs[:, 1].astype(np.float32)
    sides = [np.nextafter(threshold, np.float32(end)) for end in (-np.inf, np.inf)]
    values = np.concatenate([threshold, *sides])
    examples = x[np.arange(len(values)) % len(x)].copy()
    examples[np.arange(len(values)), np.tile(feature, 3)] = values
    return examples
