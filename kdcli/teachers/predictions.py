"""A file of predictions as a teacher: a table, or NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.data.numpy_files import read_arrays
from kdcli.data.tables.classes import text_of
from kdcli.data.tables.reading import Table, is_table, read_table
from kdcli.errors import KdError, UsageError, nearest
from kdcli.runs.source import FORMATS, NUMPY
from kdcli.teachers.answers import logits_from
from kdcli.teachers.asked import unnoted
from kdcli.teachers.matching import by_id, by_position
from kdcli.teachers.tables import dialect_of, index_columns, table_answers

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from torch import Tensor

    from kdcli.data.dataset import Source

    Array = np.ndarray[Any, Any]

PROBABILITIES = {"p", "prob", "probs", "proba", "probas", "probability", "probabilities"}
LOGITS = {"logit", "logits"}
ANSWERS = {"y_pred", "y_prob", "y_proba", "pred", "preds", "prediction", "predictions", "answers", "arr_0"}
AGAIN = "save it again with `np.savez(file, p=p)`, p of shape (rows, classes)"


@dataclass(frozen=True)
class _Predictions:
    """A file of predictions: its number of rows, their ids if requested, and a function for their answers.

    `place` names a row for a person. `table` is the whole table, if the file is one.
    """

    height: int
    ids: Sequence[str | None]
    answers: Callable[[Array], Array]
    place: Callable[[int], str]
    table: pl.DataFrame | None = None


def read_predictions(
    path: Path,
    rows: Source,
    classes: Sequence[str],
    *,
    id_column: str = "",
    logits: bool = False,
    note: Callable[[str], None] = unnoted,
) -> Tensor:
    """Return the logits `(n, n_classes)`, float64, of a file of predictions for the examples of a run.

    The file is a table in CSV, TSV, Parquet or Arrow, or an NPZ or NPY file, of probabilities, percentages,
    or `logits`. Its rows are in the order of the source, unless `id_column` identifies them. `note` is called
    with assumptions made in reading it. Raises `KdError` saying what is wrong with the file.
    """
    if path.suffix.lower() in NUMPY:
        predictions = _of_arrays(path, id_column, logits)
    else:
        predictions = _of_table(path, classes, id_column, logits, note)
    if id_column:
        index = by_id(predictions.ids, rows, id_column, path.name, predictions.place)
    else:
        index = by_position(predictions.height, rows, path.name)
        _check_order(predictions, rows, index, path)
    return logits_from(
        predictions.answers(index),
        classes,
        path.name,
        logits=logits,
        place=lambda row: predictions.place(int(index[row])),
    )


def _of_table(
    path: Path, classes: Sequence[str], id_column: str, logits: bool, note: Callable[[str], None]
) -> _Predictions:
    if not is_table(path):
        raise UsageError(f"{path} is not a file of predictions", f"it may be {FORMATS}")
    table = read_table(path, dialect_of(classes))
    frame, place = table.frame, table.place
    _check_id(id_column, frame.columns, path)
    if not id_column:
        _check_sorted(table)

    def answers(rows: Array) -> Array:
        return table_answers(
            frame, classes, path.name, logits=logits, place=place, rows=rows, apart=(id_column,), note=note
        )

    ids = text_of(frame[id_column]).to_list() if id_column else ()
    return _Predictions(frame.height, ids, answers, place, frame)


def _check_id(id_column: str, names: Sequence[str], path: Path) -> None:
    if id_column and id_column not in names:
        raise UsageError(
            f"--id: {path.name} has no column '{id_column}'{nearest(id_column, names)}",
            f"its columns: {', '.join(names)}",
        )


def _check_sorted(table: Table) -> None:
    """Raise `KdError` if an index column is not in order."""
    for name in index_columns(table.frame):
        odd = ~(table.frame[name].diff().drop_nulls() > 0)
        if odd.any():
            raise KdError(
                f"{table.place(int(odd.arg_true()[0]) + 1)}: the index in column '{name}' is not in order",
                "sort the rows like the data and remove it, or match rows with --id COLUMN",
            )


def _check_order(predictions: _Predictions, rows: Source, index: Array, path: Path) -> None:
    """Raise `KdError` if a column with unique values has those of the data in another order."""
    if predictions.table is None or rows.frame is None:
        return
    for name in set(predictions.table.columns) & set(rows.frame.columns):
        own, whole = text_of(rows.frame[name]), text_of(predictions.table[name])
        odd = own.ne_missing(whole[index]).arg_true()
        if len(odd) and own.n_unique() == len(own) and own.is_in(whole.to_list()).all():
            row = int(odd[0])
            there, told = predictions.place(int(index[row])), f"'{whole[int(index[row])]}' for '{own[row]}'"
            raise KdError(
                f"{there}: column '{name}' has the values of the data in another order, here {told}",
                f"--id {name} matches rows by it",
            )


def _of_arrays(path: Path, id_column: str, logits: bool) -> _Predictions:
    arrays = read_arrays(path, AGAIN)
    _check_id(id_column, list(arrays), path)
    ids = arrays.pop(id_column) if id_column else None
    values = arrays[_named(arrays, path, logits)]
    if not values.ndim or (ids is not None and ids.shape != (len(values),)):
        shapes = values.shape if ids is None else f"{values.shape} and {ids.shape}"
        raise KdError(f"{path.name} has arrays of the shape {shapes}", AGAIN)

    def place(row: int) -> str:
        return f"{path.name}, row {row + 1}"

    return _Predictions(len(values), () if ids is None else _texts(ids), lambda index: values[index], place)


def _texts(ids: Array) -> list[str | None]:
    import polars as pl

    values = [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in ids.tolist()
    ]
    return text_of(pl.Series(values)).to_list()


def _named(arrays: dict[str, Array], path: Path, logits: bool) -> str:
    """Return the name of the array with the answers; raises `KdError` unless there is exactly one."""
    names = list(arrays)
    kinds = (LOGITS, PROBABILITIES, ANSWERS) if logits else (PROBABILITIES, ANSWERS, LOGITS)
    known = [[name for name in names if name.casefold() in kind] for kind in kinds]
    suitable = next(filter(None, known), names)
    if len(suitable) != 1:
        raise KdError(
            f"{path.name} has the arrays {', '.join(names) or 'none'}", "call the answers p; " + AGAIN
        )
    if path.suffix.lower() == ".npz" and suitable[0].casefold() in LOGITS and not logits:
        raise KdError(f"{path.name} has logits, by the name of its array", "read them with --logits")
    return suitable[0]
