"""The examples that an external teacher is asked about, and the interface of a callable teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from torch import Tensor


def unnoted(note: str) -> None:
    """Ignore a note on an answer."""


@dataclass(frozen=True)
class Asked:
    """Examples that a teacher is asked about.

    `frame` has the rows of a table as they are in its source, without the label: numbers as numbers, other
    values as text, missing values as nulls; None for images. `x (n, *features)` are the encoded features,
    float32, or images, uint8, such as `(n, height, width)` or `(n, channels, height, width)`.
    `feature_names` are those of `x`, and empty for images; `classes` are in the order of their indices. The
    answers must be probabilities or percentages, or `logits`; `note` is called with assumptions made in
    reading them.
    """

    frame: pl.DataFrame | None
    x: Tensor
    feature_names: Sequence[str]
    classes: Sequence[str]
    logits: bool = False
    note: Callable[[str], None] = unnoted


class CallableTeacher(Protocol):
    """A teacher that can be called."""

    @property
    def digest(self) -> str:
        """SHA-256 of the teacher: of a file, or of the text of a command."""

    @property
    def who(self) -> str:
        """The teacher's name in messages."""

    def ask(self, asked: Asked) -> np.ndarray:
        """Return answers for `logits_from`: `(n, n_classes)`, or `(n,)` or `(n, 1)` for the second of two.

        Without examples the teacher is not called, and the answer is `(0, n_classes)`. Raises `KdError` if
        the teacher cannot answer, or answers for another number of examples.
        """
