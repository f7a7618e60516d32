"""Multi-layer perceptrons with ReLU, written "mlp:64,64" by the widths of their hidden layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stacked_mlp import StackedMLP

MAX_WIDTH = 1_000_000


@dataclass(frozen=True)
class MLP:
    """A perceptron with these hidden widths; inputs and classes come from the data."""

    hidden: tuple[int, ...]

    SYNTAX: ClassVar[str] = "mlp:WIDTH[,WIDTH...], for example mlp:64,64"

    @classmethod
    def parse(cls, arguments: str) -> MLP:
        """Read the widths from "64,64"; raises ValueError saying which is wrong."""
        widths = []
        for text in arguments.split(","):
            if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= MAX_WIDTH):
                shown = f"'{text}'" if text else "nothing"
                raise ValueError(f"a width must be a whole number from 1 to {MAX_WIDTH}, not {shown}")
            widths.append(int(text))
        return cls(tuple(widths))

    def __str__(self) -> str:
        return "mlp:" + ",".join(map(str, self.hidden))

    @property
    def slug(self) -> str:
        """The model in a file name, such as "mlp64-64"."""
        return "mlp" + "-".join(map(str, self.hidden))

    def build(self, features: Sequence[int], n_classes: int, members: int = 1) -> StackedMLP:
        """Build an untrained stack for inputs of shape `features`."""
        from kdcli.models.stacked_mlp import StackedMLP

        return StackedMLP((math.prod(features), *self.hidden, n_classes), members)

    def restore(
        self, parameters: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedMLP:
        """Build the stack that has these parameters; raises ValueError if they do not fit its shape."""
        stack = self.build(features, n_classes, members)
        try:
            stack.load_state_dict(dict(parameters))
        except RuntimeError as error:
            raise ValueError(f"parameters that do not fit {self}: {error}") from None
        return stack
