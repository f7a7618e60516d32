"""Helpers for tests of training: interrupting it."""

from collections.abc import Mapping

from torch import Tensor


class CutError(Exception):
    """The training is interrupted."""


class CutOff:
    """Keeps each state, and interrupts the training after a number of them."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.saves = 0
        self.kept: dict[str, Tensor] | None = None

    def load(self) -> Mapping[str, Tensor] | None:
        return self.kept

    def due(self) -> bool:
        return True

    def save(self, state: Mapping[str, Tensor]) -> None:
        self.kept = {name: value.clone() for name, value in state.items()}
        self.saves += 1
        if self.saves == self.after:
            raise CutError
