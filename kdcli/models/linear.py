"""Linear models, written "linear": softmax regression, a perceptron without hidden layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kdcli.models.network import Network

if TYPE_CHECKING:
    from kdcli.models.stacked_mlp import StackedMLP


@dataclass(frozen=True)
class Linear(Network):
    """A weight for each feature and class."""

    EXAMPLE: ClassVar[str] = "linear"
    SYNTAX: ClassVar[str] = "linear"

    @classmethod
    def parse(cls, arguments: str) -> Linear:
        """Read no arguments; raises ValueError for any."""
        if arguments:
            raise ValueError(f"it takes no arguments, but '{arguments}' is given")
        return cls()

    def __str__(self) -> str:
        return "linear"

    @property
    def slug(self) -> str:
        """The model in a file name."""
        return "linear"

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count the multiply-adds of predicting one example."""
        return math.prod(features) * n_classes

    def parameters(self, features: Sequence[int], n_classes: int) -> int:
        """Count the weights and biases of one model."""
        return (math.prod(features) + 1) * n_classes

    def build(self, features: Sequence[int], n_classes: int, members: int = 1) -> StackedMLP:
        """Build an untrained stack for inputs of shape `features`."""
        from kdcli.models.stacked_mlp import StackedMLP

        return StackedMLP((math.prod(features), n_classes), members)
