"""From the columns of a table to the numbers that models learn from.

An encoding is fitted on training rows alone and stored as data, so that a row can be encoded anywhere.
Numbers stay as they are, in raw units; the median replaces missing ones, and a feature of its own marks them.
A category column becomes a 0/1 feature for each frequent category, and one for all others, seen or unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kdcli.data.tables.columns import LEARNED, NO, YES, Column, frequencies
from kdcli.errors import KdError

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from kdcli.data.tables.reading import Table

LEVELS = 20  # categories of a column that have a feature of their own
RARE = 10  # least number of rows of such a category
LARGEST = 3.0e38  # that a float32 may be


@dataclass(frozen=True)
class Encoded:
    """How one column is encoded.

    kind      "number", "yes/no", "category" or "date"
    middle    what replaces a missing value: the median, or for yes/no the more frequent of 0 and 1
    missing   whether there is a feature that marks missing values
    levels    categories that have a feature each, the most frequent first
    others    whether there is a feature for all other categories
    format    the format of dates in text
    numeric   whether categories, or yes and no, are numbers: whole numbers are levels without decimals
    """

    name: str
    kind: str
    middle: float = 0.0
    missing: bool = False
    levels: tuple[str, ...] = ()
    others: bool = False
    format: str = ""
    numeric: bool = False

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Encoded:
        """Read a record that `to_record` returned; raises ValueError if it is not valid."""
        known = cls.__dataclass_fields__
        if not isinstance(record, dict) or set(record) | {"numeric"} != {*known}:
            raise ValueError("it is not an encoding of a column")
        levels = record["levels"]
        if not isinstance(levels, (list, tuple)) or not all(isinstance(level, str) for level in levels):
            raise ValueError("the levels of a column must be a list of texts")
        if "numeric" not in record:  # an older kd, which wrote levels as they were in the file
            number = bool(levels) and all(re.fullmatch(r"-?\d+(\.\d+)?", level) for level in levels)
            levels = [level.removesuffix(".0") if number else level for level in levels]
            record = {**record, "numeric": number}
        read = cls(**{**record, "levels": tuple(levels)})
        kinds = {key: type(getattr(cls(name="", kind=""), key)) for key in known}
        if read.kind not in LEARNED or any(
            type(getattr(read, key)) is not kind for key, kind in kinds.items()
        ):
            raise ValueError("the encoding of a column has an unknown kind, or a value of another type")
        return read

    def to_record(self) -> dict[str, Any]:
        """Return the encoding as `description.json` holds it."""
        return {**asdict(self), "levels": list(self.levels)}

    @property
    def features(self) -> list[str]:
        """The names of the features that the column becomes."""
        if self.kind == "category":
            names = [f"{self.name} = {level}" for level in self.levels]
            names += [f"{self.name} = (other)"] if self.others else []
        elif self.kind == "date":
            names = [self.name, f"{self.name}: month", f"{self.name}: weekday"]
        else:
            names = [self.name]
        return names + ([f"{self.name} missing"] if self.missing else [])


def placed(columns: Iterable[Encoded]) -> Iterator[tuple[Encoded, slice]]:
    """Yield each column with the slice of its features among those of all columns."""
    start = 0
    for column in columns:
        end = start + len(column.features)
        yield column, slice(start, end)
        start = end


def fitted(column: Column, values: pl.Series) -> Encoded:
    """Fit the encoding of a column on its training values."""
    import numpy as np
    import polars as pl

    there = values.drop_nulls()
    missing = len(there) < len(values)
    if column.kind == "category":
        counts = frequencies(in_words(there))
        frequent = [value for value, count in counts.items() if count >= RARE]
        levels = (frequent or [*counts])[:LEVELS]
        return Encoded(
            column.name,
            "category",
            missing=missing,
            levels=tuple(levels),
            others=len(levels) < len(counts),
            numeric=values.dtype.is_numeric(),
        )
    numbers = as_numbers(column.kind, there, column.format)
    middle = float(np.median(numbers.to_numpy())) if len(numbers) else 0.0
    middle = float(middle >= 0.5) if column.kind == "yes/no" else middle
    numeric = column.kind == "yes/no" and values.dtype != pl.String
    return Encoded(column.name, column.kind, middle, missing, format=column.format, numeric=numeric)


def in_words(values: pl.Series) -> pl.Series:
    """Return categories as words: whole numbers have no decimals, whatever their type in the file."""
    import polars as pl

    words = values.cast(pl.String)
    return words.str.replace(r"\.0$", "") if values.dtype.is_float() else words


def as_numbers(kind: str, values: pl.Series, format: str = "", *, strict: bool = True) -> pl.Series:
    """Return values as float64, with nulls where they are missing: dates as days since 1970, yes as 1.

    Unless `strict`, a value that is not a number or date becomes null as well; so does one that is neither
    yes nor no in any case.
    """
    import polars as pl

    if kind == "date":
        dates = values
        if values.dtype == pl.String:
            dates = values.str.strptime(pl.Datetime if "%H" in format else pl.Date, format, strict=strict)
        return dates.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 86_400e6
    if kind == "yes/no" and values.dtype == pl.String:
        known = dict.fromkeys(YES, 1.0) | dict.fromkeys(NO, 0.0)
        lower = values.str.to_lowercase()
        return lower.replace_strict(
            known, default=lower.cast(pl.Float64, strict=False), return_dtype=pl.Float64
        )
    return values.cast(pl.Float64, strict=strict)


def encode(table: Table, encodings: Sequence[Encoded], *, release: bool = False) -> Tensor:
    """Encode the rows of a table as `(n, features)` float32.

    With `release` a column is removed from the table as soon as it is encoded, to free its memory. Raises
    `KdError` naming the row of a number that is not finite, or too large for a float32.
    """
    import torch

    features: list[Tensor] = []
    for encoded in encodings:
        features += _column(table, encoded)
        if release:
            table.frame.drop_in_place(encoded.name)
    return torch.stack(features, 1)


def _column(table: Table, encoded: Encoded) -> list[Tensor]:
    """Return the features that a column becomes, each `(n,)` float32."""
    import polars as pl
    import torch

    values = table.frame[encoded.name]
    features = []
    if encoded.kind == "category":
        words = in_words(values)
        known = words.is_in(list(encoded.levels))
        features = [(words == level).fill_null(False) for level in encoded.levels]
        if encoded.others:
            features.append(~known & words.is_not_null())
    else:
        numbers = as_numbers(encoded.kind, values, encoded.format)
        _check_finite(table, encoded.name, numbers)
        filled = numbers.fill_null(encoded.middle)
        features = [filled]
        if encoded.kind == "date":
            day = filled.floor()
            dates = day.cast(pl.Int32).cast(pl.Date)
            features += [dates.dt.month(), dates.dt.weekday()]
    if encoded.missing:
        features.append(values.is_null())
    return [torch.from_numpy(feature.cast(pl.Float32).to_numpy().copy()) for feature in features]


def _check_finite(table: Table, name: str, numbers: pl.Series) -> None:
    odd = (~numbers.is_finite() | (numbers.abs() > LARGEST)).fill_null(False)
    if odd.any():
        row = int(odd.arg_true()[0])
        raise KdError(
            f"{table.place(row)}: column '{name}' has {numbers[row]:g}, which is not a finite 32-bit number",
            "correct the value, or read it as missing with --missing TEXT",
        )
