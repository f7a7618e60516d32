"""Encoding the rows of another table with the same columns, with an encoding that was fitted earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.data.tables.columns import missing_columns
from kdcli.data.tables.encoding import Encoded, as_numbers, encode, in_words
from kdcli.errors import KdError

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.data.tables.reading import Table


NO_VALUE = {"number": "not a number", "date": "not a date", "yes/no": "neither yes nor no"}


def applied(table: Table, encodings: Sequence[Encoded]) -> Tensor:
    """Encode the rows of a table as `(n, features)` float32; the table may have further columns.

    Raises `KdError` for a missing column, and for a value that is not of the kind of its column.
    """
    if lacking := [encoded.name for encoded in encodings if encoded.name not in table.frame.columns]:
        raise missing_columns(table, lacking)
    for encoded in encodings:
        _check(table, encoded)
    return encode(table, encodings)


def unseen(table: Table, encodings: Sequence[Encoded]) -> dict[str, tuple[int, str]]:
    """Count the values of each category column that no feature stands for, and return the first of them.

    No training row had them, so a model sees none of the categories that it knows.
    """
    found: dict[str, tuple[int, str]] = {}
    for encoded in encodings:
        if encoded.kind == "category" and not encoded.others:
            words = in_words(table.frame.get_column(encoded.name).drop_nulls())
            if len(odd := words.filter(~words.is_in(list(encoded.levels)))):
                found[encoded.name] = (len(odd), odd[0])
    return found


def rows_as_table(x: Any, names: Sequence[str]) -> Table | None:
    """Return rows with named columns as a table; an array of objects gets these `names`, others give None."""
    import numpy as np
    import polars as pl

    from kdcli.data.tables.reading import Table

    if isinstance(x, (list, tuple)) and len(x) and isinstance(x[0], Mapping):
        frame = pl.DataFrame(list(x), infer_schema_length=None)
    elif isinstance(x, pl.DataFrame):
        frame = x
    elif hasattr(x, "columns") and hasattr(x, "to_dict"):  # a data frame of pandas
        frame = pl.DataFrame({str(name): list(x[name]) for name in x.columns}, strict=False)
    elif isinstance(x, np.ndarray) and x.dtype == object and x.ndim == 2 and x.shape[1] == len(names):
        columns_of = {name: [None if v != v else v for v in x[:, k]] for k, name in enumerate(names)}
        frame = pl.DataFrame(columns_of, strict=False)
    else:
        return None
    columns = [column.fill_nan(None) if column.dtype.is_float() else column for column in frame.get_columns()]
    return Table(Path("the rows"), pl.DataFrame(columns), (), lambda row: f"row {row + 1}")


def _check(table: Table, encoded: Encoded) -> None:
    """Raise `KdError` for the first value in a column of numbers or dates that cannot be read as one."""
    import polars as pl

    column = table.frame.get_column(encoded.name)
    if encoded.kind == "category" or column.dtype != pl.String:
        return
    read = as_numbers(encoded.kind, column, encoded.format, strict=False)
    odd = (read.is_null() & column.is_not_null()).arg_true()
    if len(odd):
        row, what = int(odd[0]), NO_VALUE[encoded.kind]
        raise KdError(
            f"{table.place(row)}: column '{encoded.name}' has '{column[row]}', which is {what}",
            "correct the value, or leave it empty where it is missing",
        )
