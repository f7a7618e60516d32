"""How far a training is, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kdcli.training.loop import Report

Watch: TypeAlias = "Callable[[str, int, str, int], AbstractContextManager[Report]]"
"""Opens a progress display for a training of so many epochs or trees, each of so many steps.

It is told by the `Report` that it gives.
"""


def unwatched(title: str, total: int, unit: str, steps: int) -> AbstractContextManager[Report]:
    """Train without a progress display."""
    from kdcli.training.loop import Silence

    return nullcontext(Silence())
