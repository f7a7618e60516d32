"""What a teacher from elsewhere is asked, and what it has to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kdcli.errors import KdError
from kdcli.words import counted

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from torch import Tensor


@dataclass(frozen=True)
class Asked:
    """Examples that a teacher is asked about.

    `frame` has the rows of a table as they stand in its source, without the label: numbers as numbers, other
    values as text, nulls where they are missing; None of images. `x (n, *features)` are the encoded features,
    float32, or images, uint8, such as `(n, height, width)` or `(n, channels, height, width)`.
    `feature_names` are those of `x`, and empty for images; `classes` are in the order of their indices.
    """

    frame: pl.DataFrame | None
    x: Tensor
    feature_names: Sequence[str]
    classes: Sequence[str]


class CallableTeacher(Protocol):
    """A teacher that can be called."""

    @property
    def digest(self) -> str:
        """SHA-256 of what answers."""

    def ask(self, asked: Asked) -> np.ndarray:
        """Return numbers `(n, n_classes)` or `(n,)`, float64; raises `KdError` if it cannot answer."""


def checked(answer: Any, asked: Asked, who: str) -> np.ndarray:
    """Return an answer as float64, `(n, n_classes)` or `(n,)`.

    Raises `KdError` naming `who` for another shape, for what is no number, and for the first NaN.
    """
    import numpy as np

    rows, width = len(asked.x), len(asked.classes)
    hint = f"({rows}, {width}) is the probability of each class in each row, ({rows},) of the second of two"
    try:
        values = np.asarray(answer)
        numbers = values.dtype.kind in "fiub"
        if values.dtype == object and values.ndim and not any(isinstance(v, str) for v in values.flat):
            values, numbers = values.astype(np.float64), True
    except (TypeError, ValueError):
        numbers = False
    if not numbers:
        raise KdError(f"{who} answers with other things than numbers", hint)
    if values.shape == (rows, 1):
        values = values[:, 0]
    if values.shape not in ((rows,), (rows, width)):
        asked_about = f"{counted(rows, 'row')} and {width} classes"
        raise KdError(f"{who} answers with the shape {values.shape} when asked about {asked_about}", hint)
    nan = np.isnan(values.reshape(rows, -1)).any(1)
    if nan.any():
        raise KdError(f"{who} answers NaN in row {int(nan.argmax()) + 1:,}", "every answer must be a number")
    return values.astype(np.float64)
