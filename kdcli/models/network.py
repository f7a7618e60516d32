"""Shared by the families of networks: they are trained by gradients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from kdcli.models.family import Fitted, Model, Teaching, Workshop

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import StackedNetwork

KERNEL = 3  # side of a convolution's filter
MAX_WIDTH = 1_000_000


class Network(Model):
    """A model that is trained by gradients, as part of a stack that it builds."""

    COPIES: ClassVar[int] = 4  # parameters, their gradients, and Adam's two moments
    CURVES: ClassVar[bool] = True
    SEEDS: ClassVar[str] = "initial weights and batch order"

    @abstractmethod
    def parameters(self, features: Sequence[int], n_classes: int) -> int:
        """Count the weights and biases of one network."""

    @abstractmethod
    def build(self, features: Sequence[int], n_classes: int, members: int = 1) -> StackedNetwork:
        """Build an untrained stack for inputs of shape `features`."""

    def takes(self, setting: str) -> bool:
        """Whether a setting of training has an effect: all of them do."""
        return True

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterable[Fitted]:
        """Train the networks of all sets and seeds as one stack."""
        return workshop.by_gradients(self, teaching)

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedNetwork:
        """Build the stack that has these stored tensors; raises ValueError if they do not fit the model."""
        # Check before allocating memory for the claimed size of the model.
        claimed = members * self.parameters(features, n_classes)
        stored = sum(tensor.numel() for tensor in tensors.values())
        if claimed != stored:
            raise ValueError(f"parameters that do not fit {self}: {stored:,} numbers, not {claimed:,}")
        stack = self.build(features, n_classes, members)
        try:
            stack.load_state_dict(dict(tensors))
        except RuntimeError as error:
            raise ValueError(f"parameters that do not fit {self}: {error}") from None
        return stack

    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        """Return the bytes of one network's parameters, in float32."""
        return 4 * self.parameters(features, n_classes)


def parse_widths(arguments: str) -> tuple[int, ...]:
    """Read widths of layers from "64,64"; raises ValueError saying which is wrong."""
    for text in arguments.split(","):
        if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= MAX_WIDTH):
            shown = f"'{text}'" if text else "nothing"
            raise ValueError(f"a width must be a whole number from 1 to {MAX_WIDTH}, not {shown}")
    return tuple(map(int, arguments.split(",")))


def products(widths: Sequence[int]) -> int:
    """Count the multiply-adds of one example in layers of these widths."""
    return sum(fan_in * out for fan_in, out in pairwise(widths))
