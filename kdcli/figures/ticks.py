"""What is written along axes and into cells: shares in percent, names of classes, and numbers that fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kdcli.figures.canvas import WIDTH
from kdcli.figures.wrapping import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axis import Axis

CHARACTERS = 30  # that have room below a panel
LONGEST = 12  # characters of a class that can have room at a tick
TICK_ROOM = 0.5  # inches beside a vertical axis, for the name of a class


def percent_ticks(*axes: Axis) -> None:
    """Write the ticks of axes of shares in percent, all with as many digits as one of them needs."""
    from matplotlib.ticker import Formatter

    class Percent(Formatter):
        def __call__(self, share: float, pos: int | None = None) -> str:
            return f"{100 * share:.6g} %"

        def format_ticks(self, values: Sequence[float]) -> list[str]:
            digits = max((len(f"{100 * share:.6g}".partition(".")[2]) for share in values), default=0)
            return [f"{100 * share:.{digits}f} %" for share in values]

    for axis in axes:
        axis.set_major_formatter(Percent())


def number_size(cells: int, digits: int) -> float:
    """Return the size in points of numbers of so many `digits` in the cells of a square panel."""
    cell = 72 * WIDTH / cells
    return min(9.0, 0.6 * cell, cell / (0.7 * digits))


def class_ticks(names: Sequence[str]) -> dict[int, str]:
    """Return the classes, by their index, that have room for their names along an axis: all, or every kth.

    Of a long name the beginning and the end are written.
    """
    names = list(map(_tick, names))
    step = math.ceil(sum(len(name) + 1 for name in names) / CHARACTERS)
    return dict(list(enumerate(names))[::step])


def _tick(name: str) -> str:
    """Return as much of a name as has room at a tick."""
    cut = [f"{name[: kept - kept // 3]}…{name[-(kept // 3) :]}" for kept in range(LONGEST, 2, -1)]
    choices = [name, *cut] if len(name) <= LONGEST else cut
    return next((text for text in choices if text_width(text) <= TICK_ROOM), "…")
