"""An existing model of which only predictions are known: a teacher, never a student."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from kdcli.errors import KdError
from kdcli.models.family import Fitted, Model, Teaching, Workshop

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import Stack


@dataclass(frozen=True)
class Given(Model):
    """A model, identified by the text that names the source of its predictions."""

    source: str

    SEEDS: ClassVar[str] = "nothing"

    @classmethod
    def parse(cls, arguments: str) -> Given:
        """Take the source of the predictions."""
        return cls(arguments)

    def __str__(self) -> str:
        return self.source if self.source.startswith("command:") else PurePath(self.source).name

    @property
    def slug(self) -> str:
        """The model in a file name."""
        return "given"

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        """Raise `KdError`: there is nothing to train."""
        raise KdError(f"{self} is not trained by kd", "its predictions are stored")

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> Stack:
        """Raise ValueError: only predictions are stored."""
        raise ValueError("an existing model has no tensors")

    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        """Return 0: only predictions are stored."""
        return 0

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Return 0: it is unknown."""
        return 0
