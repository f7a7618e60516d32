"""The examples of a run as rows of their source, for existing teachers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kdcli.data.dataset import Source
from kdcli.errors import KdError
from kdcli.progress import Watch
from kdcli.runs.stored import Data

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor


def source_of(data: Data, watch: Watch) -> Source:
    """Return the rows that the examples of a run were made from; for points and images, the examples.

    Raises `KdError` if the files of a table have changed since the data were made from them.
    """
    n = len(data.pool.y)
    if data.dataset.rows is None:
        frame = features(data, data.pool.x)
        return Source(frame, torch.arange(n), n, None, lambda row: f"example {row + 1}")
    source = data.dataset.rows(data.record.config, watch)
    if len(source.position) != n:
        raise KdError("the table no longer has the rows of the data", "make the data again with --force")
    return source


def features(data: Data, x: Tensor) -> pl.DataFrame | None:
    """Return the features of points `x (n, features)` as a table; None for images."""
    import polars as pl

    if x.ndim != 2:
        return None
    return pl.DataFrame({name: x[:, k].numpy() for k, name in enumerate(data.point_names)})
