"""Progress of long work, as those who do it report it and a display shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeAlias


class Report(Protocol):
    """Is told how far a training is."""

    def __call__(self, done: int, loss: float | None) -> None:
        """Take the steps or models done, and the mean training loss recorded last, if there is one."""

    def resumed(self, epoch: int) -> None:
        """Take the epoch at which an interrupted training is resumed."""


Watch: TypeAlias = Callable[[str, int, str, int], AbstractContextManager[Report]]
"""Opens a display, given a title, a number of units, what a unit is called, and the steps of each unit."""


class Silence:
    """Reports to nobody."""

    def __call__(self, done: int, loss: float | None) -> None:
        """Ignore it."""

    def resumed(self, epoch: int) -> None:
        """Ignore it."""


def unwatched(title: str, total: int, unit: str, steps: int) -> AbstractContextManager[Report]:
    """Work without a progress display."""
    return nullcontext(Silence())
