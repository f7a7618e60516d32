"""Axes of the values of a key that varies: numbers in their places, on a logarithmic scale if need be."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from kdcli.figures.wrapping import SMALL, text_width, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from kdcli.figures.study_view import Key

BETWEEN = 0.1  # inches that are free between two ticks' texts
WIDEST = 0.7  # inches that a text may take, before ticks are left out for it
STEP = 0.012  # of the axis between the points of two lines at one value, or
APART = 0.5  # of the smallest gap between two values for all lines
MARGIN = 0.06  # of the axis at each of its ends
MOST_LINES = 2  # of the text of a tick


def positions(key: Key) -> list[float]:
    """Return where the values of a key stand on its axis: categories beside each other."""
    return (
        [float(value) for value in key.values] if key.is_numeric else list(map(float, range(len(key.values))))
    )


def apart(key: Key, k: int, count: int) -> list[float]:
    """Return where the kth of several lines has its points: beside the values, so that bars stand apart."""
    places = _even(key)
    gaps = [after - before for before, after in pairwise(places)]
    step = min(STEP * (places[-1] - places[0]), APART * min(gaps) / count)
    moved = [place + step * (k - (count - 1) / 2) for place in places]
    return [math.exp(place) for place in moved] if key.is_geometric else moved


def _even(key: Key) -> list[float]:
    """Return where the values of a key are, in units that are alike all along the axis."""
    return [math.log(place) if key.is_geometric else place for place in positions(key)]


def value_axis(ax: Axes, key: Key, room: float) -> None:
    """Make the horizontal axis of a panel, which is `room` inches wide, that of a key's values."""
    from matplotlib.ticker import NullLocator

    if key.is_geometric:
        ax.set_xscale("log")
    places = positions(key)
    ticks = _ticks(key, room)
    ax.set_xticks([places[k] for k in ticks], list(ticks.values()), fontsize=SMALL.size, parse_math=False)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(*_ends(key))
    ax.set_xlabel(f"{key.label}{', log scale' if key.is_geometric else ''}", parse_math=False)


def _ends(key: Key) -> list[float]:
    """Return the ends of an axis: categories have even shares of it, and numbers a margin."""
    places = _even(key)
    margin = MARGIN * (places[-1] - places[0]) if key.is_numeric else 0.5
    ends = [places[0] - margin, places[-1] + margin]
    return [math.exp(end) for end in ends] if key.is_geometric else ends


def tick_lines(key: Key, room: float) -> int:
    """Return how many lines the ticks of the values of a key have."""
    return max(text.count("\n") + 1 for text in _ticks(key, room).values())


def _ticks(key: Key, room: float) -> dict[int, str]:
    return numeric_ticks(key, room) if key.is_numeric else spread_texts(key.texts, room)


def numeric_ticks(key: Key, room: float) -> dict[int, str]:
    """Return the texts of numbers, by their positions, as far as `room` inches have room for them."""
    values = _even(key)
    span = values[-1] - values[0]
    ticks: dict[int, str] = {}
    end = -math.inf
    for k, (value, text) in enumerate(zip(values, key.texts, strict=True)):
        middle, width = room * (value - values[0]) / span, text_width(text, SMALL)
        if middle - width / 2 >= end:
            ticks[k], end = text, middle + width / 2 + BETWEEN
    return ticks


def spread_texts(texts: Sequence[str], room: float) -> dict[int, str]:
    """Return texts that stand beside each other within `room` inches, by their positions: all, or every kth.

    They are broken into lines, and cut where that is not enough.
    """
    slot = room / len(texts)
    widest = min(WIDEST, max(text_width(text, SMALL) for text in texts))
    step = math.ceil((widest + BETWEEN) / slot)
    return {k: shortened_lines(texts[k], slot * step - BETWEEN) for k in range(0, len(texts), step)}


def shortened_lines(text: str, room: float) -> str:
    """Break a text into the few lines that a tick may have, of `room` inches; what is too much is cut off."""
    lines = wrapped(text, room, SMALL).split("\n")
    return "\n".join(lines[:MOST_LINES]) + (" …" if len(lines) > MOST_LINES else "")
