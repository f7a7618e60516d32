"""The rows of a table for other programs: numbers as numbers, and other values as they are in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table whose text columns become numbers if all of their values are numbers.

    Digits with leading zeros are a code and stay text.
    """
    import polars as pl

    return pl.DataFrame([_typed(column) for column in frame.get_columns()])


def _typed(column: pl.Series) -> pl.Series:
    import polars as pl

    if column.dtype != pl.String or column.null_count() == len(column):
        return column
    if column.str.contains(r"^[+-]?0\d").any():
        return column
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.null_count() == column.null_count():
            return numbers
    return column
