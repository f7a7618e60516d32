"""Matches the rows of a file of predictions to the examples of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError, UsageError
from kdcli.words import counted, listed

if TYPE_CHECKING:
    import numpy as np

    from kdcli.data.dataset import Source

    Index = np.ndarray[Any, np.dtype[np.int64]]

SHOWN = 3  # examples that a message names


def by_position(height: int, rows: Source, named: str) -> Index:
    """Return for each example its row `(n,)` in a file of `height` rows, by its position in the source.

    The file has a row for each row of the source, or for each example. Raises `KdError` for other files.
    """
    import numpy as np

    if height == rows.in_all:
        return rows.position.numpy()
    n = len(rows.position)
    if height == n:
        return np.arange(n)
    examples = f", {n:,} of them examples" if n != rows.in_all else ""
    raise KdError(
        f"{named} has {counted(height, 'row')}, but the data have {rows.in_all:,}{examples}",
        "give a row for each, or match rows by a shared column with --id COLUMN",
    )


def by_id(
    ids: Sequence[str | None], rows: Source, column: str, named: str, place: Callable[[int], str]
) -> Index:
    """Return for each example its row `(n,)` in a file with these ids; other rows are left out.

    `place` names a row of the file. Raises `KdError` for missing or duplicate ids.
    """
    import numpy as np

    if rows.values is None:
        raise UsageError(
            f"--id: the data have no column '{column}'", "leave it out to match rows by position"
        )
    row_of = _distinct(ids, place, column)
    wanted = list(_distinct(rows.values(column), rows.place, column))
    if missing := [k for k, value in enumerate(wanted) if value not in row_of]:
        some = [f"'{wanted[k]}' ({rows.place(k)})" for k in missing[:SHOWN]]
        raise KdError(
            f"{named} lacks {counted(len(missing), 'example')}: column '{column}' has no "
            + listed(some + ["others"] * (len(missing) > SHOWN), "or"),
            "predict all examples of the data: those for training, validation and test",
        )
    return np.array([row_of[value] for value in wanted], np.int64)


def _distinct(ids: Sequence[str | None], place: Callable[[int], str], column: str) -> dict[str, int]:
    """Return the row of each id; raises `KdError` for a missing or duplicate id."""
    row_of: dict[str, int] = {}
    for row, value in enumerate(ids):
        if value is None:
            raise KdError(f"{place(row)}: column '{column}' has no value", "--id needs a value in each row")
        if (first := row_of.setdefault(value, row)) != row:
            raise KdError(
                f"column '{column}' has '{value}' twice: {place(first)} and {place(row)}",
                "--id needs a column whose values tell rows apart",
            )
    return row_of
