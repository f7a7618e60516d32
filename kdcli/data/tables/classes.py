"""The labels of a table, with the same spelling in all of its files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from kdcli.data.tables.reading import Table

EXACT = 2**53  # up to this limit, float64 has every whole number


def text_of(column: pl.Series) -> pl.Series:
    """Return the values of a column as text: whole numbers without decimals, and nulls where missing."""
    import polars as pl

    if column.dtype.is_float():
        numbers = column.drop_nulls()
        if bool(((numbers == numbers.floor()) & (numbers.abs() < EXACT)).all()):
            column = column.cast(pl.Int64)
    return column.cast(pl.String).str.strip_chars()


def labels_of(table: Table, column: str, notes: list[str]) -> pl.Series:
    """Return the labels of a table as text without quotes around it, and null where a label is missing."""
    labels = text_of(table.frame[column])
    there = labels.drop_nulls()
    for quote in ("'", '"'):
        if len(there) and (there.str.starts_with(quote) & there.str.ends_with(quote)).all():
            labels = labels.str.strip_chars(quote)
            notes.append(f"{table.path.name}: quotes around labels were removed")
    return labels


def without_stop(labels: pl.Series, classes: Sequence[str]) -> pl.Series:
    """Return labels without a full stop that all of them end with, unless all classes have it too."""
    there = labels.drop_nulls()
    stopped = len(there) > 0 and bool(there.str.ends_with(".").all())
    return (
        labels.str.strip_suffix(".")
        if stopped and not all(name.endswith(".") for name in classes)
        else labels
    )


def unified(labels: Sequence[pl.Series], names: Sequence[str], notes: list[str]) -> list[pl.Series]:
    """Return the labels of several files without full stops that only some of the files end them with."""
    stopped = [
        bool(len(there := series.drop_nulls()) and there.str.ends_with(".").all()) for series in labels
    ]
    if len(labels) == 1 or all(stopped) or not any(stopped):
        return list(labels)
    notes += [
        f"{name}: the full stop at the end of its labels was removed"
        for name, stop in zip(names, stopped, strict=True)
        if stop
    ]
    return [
        series.str.strip_suffix(".") if stop else series for series, stop in zip(labels, stopped, strict=True)
    ]
