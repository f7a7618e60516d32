"""Points that would lie on each other are drawn apart, so that each of them is seen."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NEAR = 0.012  # of an axis: points that are nearer count as in the same place
STEP = 0.018  # of an axis between the points of one place, or
LINE_STEP = 0.01  # between those of two lines at one value
ROOM = 0.8  # of the smallest gap between places, for all points of one place
RINGS = 3.0  # points of type by which markers around each other differ in size


def side_by_side(values: Sequence[float]) -> list[float]:
    """Return positive values of a logarithmic axis, those of one place moved apart to both sides of it."""
    logs = [math.log(value) for value in values]
    span = max(logs) - min(logs) or 1.0
    order = sorted(range(len(logs)), key=logs.__getitem__)
    places: list[list[int]] = []
    for k in order:
        if places and logs[k] - logs[places[-1][0]] <= NEAR * span:
            places[-1].append(k)
        else:
            places.append([k])
    gap = min((logs[b[0]] - logs[a[-1]] for a, b in pairwise(places)), default=span)
    moved = list(values)
    for place in places:
        step = min(STEP * span, ROOM * gap / len(place))
        for k, member in enumerate(place):
            moved[member] *= math.exp(step * (k - (len(place) - 1) / 2))
    return moved


def moved_lines(lines: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the places of lines over positive values of a logarithmic axis, moved by a factor each.

    So the bars of several lines at one value stand beside each other.
    """
    logs = [math.log(value) for line in lines for value in line]
    span, count = max(logs) - min(logs) or 1.0, len(lines)
    own = (pairwise(sorted(math.log(value) for value in line)) for line in lines)
    gaps = (b - a for pairs in own for a, b in pairs)
    gap = min((gap for gap in gaps if gap > NEAR * span), default=span)
    step = min(LINE_STEP * span, ROOM * gap / count)
    return [
        [value * math.exp(step * (k - (count - 1) / 2)) for value in line] for k, line in enumerate(lines)
    ]


def rings(points: Sequence[tuple[float, float]], spans: tuple[float, float]) -> list[int]:
    """Return how many later points lie in the same place as each of these, on axes with such `spans`.

    A hollow marker that is the larger, the more there are, is seen around theirs.
    """

    def together(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return all(abs(a - b) <= NEAR * (span or 1.0) for a, b, span in zip(one, other, spans, strict=True))

    return [sum(together(point, later) for later in points[k + 1 :]) for k, point in enumerate(points)]
