"""Multi-layer perceptrons with ReLU, written "mlp:64,64" by the widths of their hidden layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from kdcli.models.stacked_mlp import StackedMLP

MAX_WIDTH = 1_000_000
AT_ONCE = 16_384  # examples that trees look at together
WORKING_SET = 2**18  # numbers of all activations of a piece: 1 MiB, which fits in a core's cache
LEAST_PIECE = 256  # examples, so that products stay worth their calls


def piece_of(outputs: Sequence[int], parameters: int, members: int) -> int:
    """Return how many examples a stack computes at once, whose members make these `outputs`, input first.

    All activations stay in the cache, unless the parameters do not either: then there are as many examples
    as outweigh reading those.
    """
    numbers = members * sum(outputs[1:])
    return max(LEAST_PIECE, WORKING_SET // numbers, members * parameters // numbers)


def parse_widths(arguments: str) -> tuple[int, ...]:
    """Read widths of layers from "64,64"; raises ValueError saying which is wrong."""
    for text in arguments.split(","):
        if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= MAX_WIDTH):
            shown = f"'{text}'" if text else "nothing"
            raise ValueError(f"a width must be a whole number from 1 to {MAX_WIDTH}, not {shown}")
    return tuple(map(int, arguments.split(",")))


def products(widths: Sequence[int]) -> int:
    """Count the multiplications of one example's pass through layers of these widths."""
    return sum(fan_in * out for fan_in, out in pairwise(widths))


@dataclass(frozen=True)
class MLP:
    """A perceptron with these hidden widths; inputs and classes come from the data."""

    hidden: tuple[int, ...]

    settings: ClassVar[tuple[str, ...]] = ("epochs", "batch_size", "learning_rate")
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

    def problem(self, features: Sequence[int], n_train: int) -> str:
        """Say why no such model can learn from these data; empty if one can."""
        return ""

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count the multiplications with an addition that predicting one example takes."""
        return products((math.prod(features), *self.hidden, n_classes))

    def outputs(self, features: Sequence[int], n_classes: int) -> tuple[int, ...]:
        """Count the numbers that one example becomes layer by layer, from the input to the logits."""
        return (math.prod(features), *self.hidden, n_classes)

    def parameters(self, features: Sequence[int], n_classes: int) -> int:
        """Count the weights and biases of one network."""
        widths = self.outputs(features, n_classes)
        return products(widths) + sum(widths[1:])

    def at_once(self, features: Sequence[int], n_classes: int, members: int) -> int:
        """Return how many examples a stack computes at once."""
        return piece_of(self.outputs(features, n_classes), self.parameters(features, n_classes), members)

    def build(self, features: Sequence[int], n_classes: int, members: int = 1) -> StackedMLP:
        """Build an untrained stack for inputs of shape `features`."""
        from kdcli.models.stacked_mlp import StackedMLP

        return StackedMLP((math.prod(features), *self.hidden, n_classes), members)
