"""Small convolutional networks, written "cnn:32,1200,1200": filters first, then hidden widths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kdcli.models.network import KERNEL, Network, parse_widths, products

if TYPE_CHECKING:
    from kdcli.models.stacked_cnn import StackedCNN


@dataclass(frozen=True)
class CNN(Network):
    """Filters of 3×3, then hidden layers of these widths with dropout; for grey or colour images."""

    filters: int
    hidden: tuple[int, ...]

    EXAMPLE: ClassVar[str] = "cnn:32,1200,1200"
    SYNTAX: ClassVar[str] = f"cnn:FILTERS,WIDTH[,WIDTH...], for example {EXAMPLE}"

    @classmethod
    def parse(cls, arguments: str) -> CNN:
        """Read filters and widths from "32,1200,1200"; raises ValueError saying what is wrong."""
        filters, *hidden = parse_widths(arguments)
        if not hidden:
            raise ValueError("the width of at least one hidden layer must follow the filters")
        return cls(filters, tuple(hidden))

    def __str__(self) -> str:
        return "cnn:" + ",".join(map(str, (self.filters, *self.hidden)))

    @property
    def slug(self) -> str:
        """The model in a file name, such as "cnn32-1200-1200"."""
        return "cnn" + "-".join(map(str, (self.filters, *self.hidden)))

    def problem(self, features: Sequence[int], n_train: int) -> str:
        """Return why such a model cannot learn from these data; empty if it can."""
        if len(features) in (2, 3) and min(features[-2:]) >= KERNEL:
            return ""
        return "a convolutional network needs images of at least 3 × 3 pixels, not " + (
            f"{features[0]} features" if len(features) == 1 else " × ".join(map(str, features))
        )

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count the multiply-adds of predicting one example."""
        _, pixels, *widths = self.outputs(features, n_classes)
        return pixels * _channels(features) * KERNEL**2 + products((pixels, *widths))

    def outputs(self, features: Sequence[int], n_classes: int) -> tuple[int, ...]:
        """Return the number of activations of one example in each layer, from the input to the logits."""
        pixels = self.filters * math.prod(side - KERNEL + 1 for side in features[-2:])
        return (math.prod(features), pixels, *self.hidden, n_classes)

    def parameters(self, features: Sequence[int], n_classes: int) -> int:
        """Count the weights and biases of one network."""
        _, *widths = self.outputs(features, n_classes)
        return self.filters * (_channels(features) * KERNEL**2 + 1) + products(widths) + sum(widths[1:])

    def build(self, features: Sequence[int], n_classes: int, members: int = 1) -> StackedCNN:
        """Build an untrained stack for images of shape `features`."""
        from kdcli.models.stacked_cnn import StackedCNN

        rows, columns = features[-2:]
        size = (_channels(features), rows, columns)
        return StackedCNN(size, self.filters, self.hidden, n_classes, members)


def _channels(features: Sequence[int]) -> int:
    """Return the number of channels of images `(rows, columns)` or `(channels, rows, columns)`."""
    return math.prod(features[:-2])
