"""Progress of long computations: how it is reported, and the displays that show it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeAlias


class Report(Protocol):
    """Receives the progress of a training."""

    def __call__(self, done: int, loss: float | None) -> None:
        """Receive the steps or models done, and the mean training loss recorded last, if there is one."""

    def resumed(self, epoch: int) -> None:
        """Receive the epoch at which an interrupted training is resumed."""


Watch: TypeAlias = Callable[[str, int, str, int], AbstractContextManager[Report]]
"""Opens a display, given a title, the number of units, the name of a unit, and the steps of each unit."""


class Silence:
    """Ignores all progress."""

    def __call__(self, done: int, loss: float | None) -> None:
        """Ignore it."""

    def resumed(self, epoch: int) -> None:
        """Ignore it."""


def unwatched(title: str, total: int, unit: str, steps: int) -> AbstractContextManager[Report]:
    """Work without a progress display."""
    return nullcontext(Silence())
