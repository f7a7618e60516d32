"""Points that would lie on each other are drawn apart, so that each of them is seen."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NEAR = 0.012  # of an axis: points that are nearer count as in the same place
STEP = 0.018  # of an axis between the points of one place
ROOM = 0.8  # of the smallest gap between places, for all points of one place
RINGS = 4.0  # points of type by which markers around each other differ in size


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


def moved_line(values: Sequence[float], k: int, count: int) -> list[float]:
    """Return the places of the kth of several lines over positive values of a logarithmic axis.

    They are moved by the same factor, so that the bars of lines stand beside each other.
    """
    logs = sorted({math.log(value) for value in values})
    span = logs[-1] - logs[0] or 1.0
    gap = min((b - a for a, b in pairwise(logs)), default=span)
    step = min(STEP * span, ROOM * gap / count)
    return [value * math.exp(step * (k - (count - 1) / 2)) for value in values]


def rings(points: Sequence[tuple[float, float]], spans: tuple[float, float]) -> list[int]:
    """Return how many later points lie in the same place as each of these, on axes with such `spans`.

    A hollow marker that is the larger, the more there are, is seen around theirs.
    """

    def together(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return all(abs(a - b) <= NEAR * (span or 1.0) for a, b, span in zip(one, other, spans, strict=True))

    return [sum(together(point, later) for later in points[k + 1 :]) for k, point in enumerate(points)]
