"""Encoding the rows of another table with the same columns, by an encoding that was fitted before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdcli.data.tables.columns import named
from kdcli.data.tables.encoding import Encoded, as_numbers, encode
from kdcli.errors import KdError
from kdcli.words import counted

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.data.tables.reading import Table


def applied(table: Table, encodings: Sequence[Encoded]) -> Tensor:
    """Encode the rows of a table as `(n, features)` float32; columns that are not encoded may be there.

    Raises `KdError` for a column that is missing, and for a value of another kind than its column has.
    """
    if lacking := [encoded.name for encoded in encodings if encoded.name not in table.frame.columns]:
        named(table, lacking[0], f"{counted(len(lacking), 'column')} missing")
    for encoded in encodings:
        _check(table, encoded)
    return encode(table, encodings)


def _check(table: Table, encoded: Encoded) -> None:
    """Raise `KdError` for the first value of a column of numbers or dates that is none."""
    import polars as pl

    column = table.frame.get_column(encoded.name)
    if encoded.kind == "category" or column.dtype != pl.String:
        return
    if encoded.kind == "date":
        kind = pl.Datetime if "%H" in encoded.format else pl.Date
        read = column.str.strptime(kind, encoded.format, strict=False)
    elif encoded.kind == "number":
        read = column.cast(pl.Float64, strict=False)
    else:
        read = as_numbers(encoded.kind, column)
    odd = (read.is_null() & column.is_not_null()).arg_true()
    if len(odd):
        row = int(odd[0])
        raise KdError(
            f"{table.place(row)}: column '{encoded.name}' has '{column[row]}', and is one of {encoded.kind}s",
            "correct the value, or leave it empty where it is missing",
        )
