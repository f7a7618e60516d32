"""Multi-layer perceptrons with ReLU, written "mlp:64,64" by the widths of their hidden layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kdcli.models.network import Network, parse_widths, products

if TYPE_CHECKING:
    from kdcli.models.stacked_mlp import StackedMLP


@dataclass(frozen=True)
class MLP(Network):
    """A perceptron with these hidden widths; inputs and classes come from the data."""

    hidden: tuple[int, ...]

    EXAMPLE: ClassVar[str] = "mlp:64,64"
    SYNTAX: ClassVar[str] = f"mlp:WIDTH[,WIDTH...], for example {EXAMPLE}"

    @classmethod
    def parse(cls, arguments: str) -> MLP:
        """Read the widths from "64,64"; raises ValueError saying which is wrong."""
        return cls(parse_widths(arguments))

    def __str__(self) -> str:
        return "mlp:" + ",".join(map(str, self.hidden))

    @property
    def slug(self) -> str:
        """The model in a file name, such as "mlp64-64"."""
        return "mlp" + "-".join(map(str, self.hidden))

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count the multiply-adds of predicting one example."""
        return products((math.prod(features), *self.hidden, n_classes))

    def outputs(self, features: Sequence[int], n_classes: int) -> tuple[int, ...]:
        """Return the number of activations of one example in each layer, from the input to the logits."""
        return (math.prod(features), *self.hidden, n_classes)

    def parameters(self, features: Sequence[int], n_classes: int) -> int:
        """Count the weights and biases of one network."""
        widths = self.outputs(features, n_classes)
        return products(widths) + sum(widths[1:])

    def build(self, features: Sequence[int], n_classes: int, members: int = 1) -> StackedMLP:
        """Build an untrained stack for inputs of shape `features`."""
        from kdcli.models.stacked_mlp import StackedMLP

        return StackedMLP((math.prod(features), *self.hidden, n_classes), members)
