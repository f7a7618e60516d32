"""The examples of a run, as a teacher made elsewhere is asked about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """The examples of a run, as their source has them and as models see them.

    `frame` has the columns of the source, a row for each example in the order of the run; it is None of
    images and arrays. `x (n, *features)` is what models see. `place` names an example for a person.
    `position (n,)`, int64, is the row of the source, counted from 0, that each example stands in: rows
    without a label are no examples. The source has `in_source` rows in all. `ids` returns the values of any
    column of the source as text, one for each example; it is None where the source has no columns.
    """

    frame: pl.DataFrame | None
    x: Tensor
    place: Callable[[int], str]
    position: Tensor
    in_source: int
    ids: Callable[[str], Sequence[str]] | None = None
