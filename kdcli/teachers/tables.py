"""A teacher's answers in a table that was read from a file, printed by a command or returned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError
from kdcli.teachers.answers import of_both_classes
from kdcli.teachers.asked import unnoted
from kdcli.teachers.columns import answer_columns

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

INDEX = {"index", "unnamed: 0", "__index_level_0__", "row"}
FEW = 2  # rows; in so few, any numbers may look like an index


def dialect_of(classes: Sequence[str], *, header: bool = True) -> Dialect:
    """Return the dialect for text with a teacher's answers: its header may have numbers as class names."""
    numbers = (*classes, *map(str, range(len(classes))))
    return Dialect(decimal=",", header=header, numbers=numbers, unnamed="index")


def table_answers(
    frame: pl.DataFrame,
    classes: Sequence[str],
    named: str,
    *,
    logits: bool,
    place: Callable[[int], str] | None = None,
    rows: Array | None = None,
    apart: Collection[str] = (),
    note: Callable[[str], None] = unnoted,
) -> Array:
    """Return the answers of a table, or of these `rows (n,)` of it, `(n, n_classes)` or `(n, 1)`, float64.

    Columns that count the rows, have class names as values, or are set `apart` have no answers. `named` names
    the teacher, and `place` a row of the table, for a person; `note` is called if columns are matched to
    classes of other names. Raises `KdError` unless each class has a column of numbers, or one of two classes
    does.
    """
    import numpy as np

    others = {*apart, *index_columns(frame), *(c.name for c in frame if _has_labels(c, classes))}
    names = [name for name in frame.columns if name not in others]
    passed = [name for name in frame.columns if name in others]
    wanted = answer_columns(names, classes, named, logits=logits, passed=passed)
    if wanted.note:
        note(wanted.note)
    rows = np.arange(frame.height) if rows is None else rows

    def told(k: int) -> str:
        row = int(rows[k])
        return place(row) if place else f"{named}, row {row + 1:,}"

    values = np.stack([_numbers(frame[name], rows, named, told) for name in wanted.columns], 1)
    if wanted.reversed:
        return of_both_classes(values[:, 0], named, logits, told)[:, ::-1]
    return values


def index_columns(frame: pl.DataFrame) -> list[str]:
    """Return the columns that count the rows, by their names or their values; a single column does not."""
    return [column.name for column in frame if frame.width > 1 and _is_index(column)]


def _is_index(column: pl.Series) -> bool:
    if not column.dtype.is_integer():
        return False
    counts = len(column) > FEW and not column.has_nulls() and bool((column.diff().drop_nulls() == 1).all())
    return counts or column.name.casefold() in INDEX


def _has_labels(column: pl.Series, classes: Sequence[str]) -> bool:
    """Whether the values of a column are class names, so that it has predicted or true classes."""
    import polars as pl

    labels = column.drop_nulls()
    return column.dtype == pl.String and len(labels) > 0 and bool(labels.is_in(list(classes)).all())


def _numbers(column: pl.Series, rows: Array, named: str, place: Callable[[int], str]) -> Array:
    """Return the values of a column in these rows as float64, missing ones as NaN."""
    import polars as pl

    values = column.gather(rows)
    if values.dtype != pl.String and not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise KdError(f"{named}, column '{column.name}' is of the type {values.dtype}", "it needs numbers")
    numbers = values.cast(pl.Float64, strict=False)
    odd = (numbers.is_null() & values.is_not_null()).arg_true()
    if len(odd):
        row = int(odd[0])
        raise KdError(
            f"{place(row)}: column '{column.name}' has '{values[row]}', which is not a number",
            "answers are probabilities, percentages, or logits with --logits",
        )
    return numbers.fill_null(float("nan")).to_numpy()
