"""The examples of a run as they stand where they came from, for teachers that were made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.errors import KdError
from kdcli.progress import Watch
from kdcli.runs.stored import Data
from kdcli.teachers.rows import Rows

if TYPE_CHECKING:
    import polars as pl


def rows_of(data: Data, watch: Watch) -> Rows:
    """Return the examples of a run with their rows in the source.

    Raises `KdError` where the files of a table have changed since the data were made of them.
    """
    import torch

    n, x = len(data.pool.y), data.pool.x
    if data.dataset.rows is None:
        return Rows(_features(data), x, lambda row: f"example {row + 1}", torch.arange(n), n)
    source = data.dataset.rows(data.record.config, watch)
    if len(source.position) != n:
        raise KdError("the rows of the table are not those of the data", "make the data again with --force")
    return Rows(source.frame, x, source.place, source.position, source.in_all, source.values)


def _features(data: Data) -> pl.DataFrame | None:
    """Return the features of points as a table; None of images."""
    import polars as pl

    x, names = data.pool.x, data.description.feature_names
    if x.ndim != 2:
        return None
    names = names or tuple(f"x{k + 1}" for k in range(x.shape[1]))
    return pl.DataFrame({name: x[:, k].numpy() for k, name in enumerate(names)})
