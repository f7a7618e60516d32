"""The kinds of a table's columns: numbers, categories, dates, or nothing that a model learns from.

A decision looks at every value of a column, and is shown to the user with the flag that changes it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from kdcli.errors import KdError, nearest
from kdcli.words import counted, plural

if TYPE_CHECKING:
    import polars as pl

    from kdcli.data.tables.reading import Table

Kind = Literal["number", "yes/no", "category", "date", "identifier", "constant", "free text", "dropped"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEARNED: tuple[Kind, ...] = ("number", "yes/no", "category", "date")  # the others are left out

YES = ("yes", "y", "true", "t", "1", "ja", "oui", "si")
NO = ("no", "n", "false", "f", "0", "nein", "non")
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f")
CODES = re.compile(r"zip|postal|postcode|plz", re.IGNORECASE)
IDENTIFIERS = re.compile(
    r"(^|[_\s-])(id|uuid|guid|key|index|row|nr)$|ID$|Id$|^Unnamed: 0$|^__index_level_\d+__$"
)
MOSTLY = 0.9  # with at least this share of numbers, other values in a column count as mistakes
WORDS = 4  # with at least this many words in a value, on average, a column is free text
MOST_NAMED = 20  # columns in an error
FEW = 20  # a column with at most this many different values may be categories, and is not an identifier
WRITTEN = 1e12  # whole numbers below this limit are written in full
LARGE = 1000  # different whole numbers from this limit up may be identifiers
REPEATED = 0.5  # with a larger share of different values, texts name rows rather than groups of rows


@dataclass(frozen=True)
class Column:
    """A column of a table: its kind, why kd decided on it, and the share of missing values.

    `values` describes the values for a person: the range of numbers, or the most frequent categories.
    `format` is that of dates; `hint` is the flag that changes the decision.
    """

    name: str
    kind: Kind
    missing: float
    values: str
    why: str = ""
    hint: str = ""
    format: str = ""

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Column:
        """Read a column from a record in `description.json`; raises ValueError if it is not valid."""
        texts = all(isinstance(value, str) for key, value in record.items() if key != "missing")
        if set(record) != {*cls.__dataclass_fields__} or not texts or record["kind"] not in KINDS:
            raise ValueError("it is not a column of a table")
        if not isinstance(record["missing"], float):
            raise ValueError("it is not a column of a table")
        return cls(**record)


@dataclass(frozen=True)
class Wishes:
    """The names of the columns whose kind the user has chosen."""

    drop: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()


def named(table: Table, column: str, flag: str) -> str:
    """Return the name of a column that is given by name, or by its number counted from 1.

    Raises `KdError` with the nearest name if there is no such column.
    """
    names = table.frame.columns
    if column in names:
        return column
    if column.isascii() and column.isdigit() and 1 <= int(column) <= len(names):
        return str(names[int(column) - 1])
    numbers = f"; or a number from 1 to {len(names)}"
    raise KdError(
        f"{flag}: {table.path.name} has no column '{column}'{nearest(column, names)}",
        f"columns: {_known(names)}{numbers}",
    )


def missing_columns(table: Table, lacking: Sequence[str]) -> KdError:
    """Return the error for a table that lacks these columns."""
    names = table.frame.columns
    shown = ", ".join(f"'{name}'" for name in lacking[:MOST_NAMED])
    more = f", and {len(lacking) - MOST_NAMED:,} more" if len(lacking) > MOST_NAMED else ""
    likely = nearest(lacking[0], names) if len(lacking) == 1 else ""
    what = f"no {plural(len(lacking), 'column')} {shown}{more}"
    return KdError(f"{what} in {table.path.name}{likely}", f"its columns: {_known(names)}")


def _known(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def recognised(table: Table, left_out: Collection[str], wishes: Wishes) -> list[Column]:
    """Decide the kind of each column that is not `left_out`; raises `KdError` for a column of mixed types."""
    return [_column(table, table.frame[name], wishes) for name in table.frame.columns if name not in left_out]


def _column(table: Table, column: pl.Series, wishes: Wishes) -> Column:
    import polars as pl

    name, there = column.name, column.drop_nulls()
    missing = column.null_count() / len(column)
    if name in wishes.drop:
        return Column(name, "dropped", missing, "", "--drop")
    different = there.n_unique()
    if different <= 1:
        value = f"only '{there[0]}'" if different else "no value"
        return Column(name, "constant", missing, value, "says nothing")
    if column.dtype == pl.Boolean:
        return Column(name, "yes/no", missing, _most(there))
    if column.dtype.is_temporal():
        return Column(name, "date", missing, f"{there.min()!s} to {there.max()!s}")
    if name in wishes.categorical:
        return Column(name, "category", missing, _most(there.cast(pl.String)), "--categorical")
    if column.dtype == pl.String:
        return _of_text(table, column, missing, numeric=name in wishes.numeric)
    return _of_numbers(name, there.cast(pl.Float64), missing, forced=name in wishes.numeric)


def _of_text(table: Table, column: pl.Series, missing: float, *, numeric: bool) -> Column:
    import polars as pl

    name, there = column.name, column.drop_nulls()
    numbers = there.cast(pl.Float64, strict=False)
    share = 1 - numbers.null_count() / len(there)
    if numeric or share == 1:
        if share < 1:
            _refuse_mixed(table, column, "--missing TEXT reads such a value as missing")
        if not numeric and there.str.contains(r"^[+-]?0\d").any():
            why, hint = "digits with leading zeros: a code", flagged("--numeric", name)
            return Column(name, "category", missing, _most(there), why, hint)
        return _of_numbers(name, numbers, missing, forced=numeric)
    if share >= MOSTLY:
        _refuse_mixed(
            table,
            column,
            f"--missing TEXT reads a value as missing; {flagged('--categorical', name)} reads all as words",
        )
    lower = {str(value).lower() for value in there.unique()}
    if len(lower) == 2 and (lower & {*YES}) and (lower & {*NO}):
        return Column(name, "yes/no", missing, _most(there), "", flagged("--categorical", name))
    if pattern := _date_format(there):
        values, hint = f"{there.min()!s} to {there.max()!s}", flagged("--categorical", name)
        return Column(name, "date", missing, values, "", hint, pattern)
    different, words = (
        there.n_unique(),
        float(there.str.count_matches(r"\S+").cast(pl.Float64).to_numpy().mean()),
    )
    if different > REPEATED * len(there) and different > FEW:
        kind_: Kind = "free text" if words >= WORDS else "identifier"
        why = f"{different:,} different values in {len(there):,} rows"
        return Column(name, kind_, missing, f"'{there[0]}', …", why, flagged("--categorical", name))
    return Column(name, "category", missing, _most(there))


def _date_format(values: pl.Series) -> str:
    """Return the format in which all values are dates; empty if there is no such format."""
    import polars as pl

    for pattern in DATES:
        kind = pl.Datetime if "%H" in pattern else pl.Date
        if values.str.strptime(kind, pattern, strict=False).null_count() == 0:
            return pattern
    return ""


def _of_numbers(name: str, there: pl.Series, missing: float, *, forced: bool) -> Column:
    """Decide the kind of a column of numbers; encoding checks that they are finite."""
    numbers = there.to_numpy()
    low, high, different = float(numbers.min()), float(numbers.max()), there.n_unique()
    values, span = f"{_short(low)} to {_short(high)}", high - low + 1
    if forced:
        return Column(name, "number", missing, values, "--numeric")
    if different == 2 and (low, high) == (0, 1):
        return Column(name, "yes/no", missing, "0, 1", "", flagged("--categorical", name))
    if not bool((there == there.floor()).all()):
        return Column(name, "number", missing, values)
    counts_rows = IDENTIFIERS.search(name) or span == different
    if different == len(there) > FEW and counts_rows:
        return Column(name, "identifier", missing, values, "numbers the rows", flagged("--numeric", name))
    if CODES.search(name):
        why = "by its name a code"
        return Column(name, "category", missing, f"{different:,} codes", why, flagged("--numeric", name))
    if different > MOSTLY * len(there) and low >= LARGE:
        return Column(name, "number", missing, values, "perhaps an identifier", flagged("--drop", name))
    hint = flagged("--categorical", name) if different <= FEW else ""
    return Column(name, "number", missing, values, "", hint)


def _short(value: float) -> str:
    """Write a number in few characters; whole numbers are written in full."""
    return f"{value:,.0f}" if value.is_integer() and abs(value) < WRITTEN else f"{value:g}"


def flagged(flag: str, name: str) -> str:
    """Write a flag with the name of a column, quoted for a shell."""
    return f"{flag} {shlex.quote(name)}"


def _most(values: pl.Series) -> str:
    """Name the most frequent values, and count the others."""
    counts = frequencies(values)
    shown = [f"'{value}'" for value in [*counts][:3]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def frequencies(values: pl.Series) -> dict[str, int]:
    """Count the different values of a column as text: the most frequent first, then in order of the text."""
    counts = values.cast(str).rename("value").value_counts()
    return dict(counts.sort("count", "value", descending=[True, False]).rows())


def _refuse_mixed(table: Table, column: pl.Series, hint: str) -> None:
    """Raise `KdError` for a column of numbers that has other values, naming the first three rows."""
    import polars as pl

    odd = column.cast(pl.Float64, strict=False).is_null() & column.is_not_null()
    rows = odd.arg_true().head(3).to_list()
    places = "; ".join(f"{table.place(row)}: '{column[row]}'" for row in rows)
    count = int(odd.sum())
    raise KdError(
        f"column '{column.name}' has numbers and {counted(count, 'other value')} ({places})",
        hint,
    )
