"""What a figure may draw of a study, as plain numbers: the keys that vary, and what came of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

GEOMETRIC = 20  # times the smallest value, from which on values are taken to be spread geometrically
STEP, UNEVEN = 1.5, 1.3  # the smallest factor between such values, and how much larger others may be

Score: TypeAlias = tuple[float, float | None, float | None]
"""A mean and the ends of its 95 % interval, which are None where nothing is known of it."""

Place: TypeAlias = tuple[int | None, ...]
"""Of each key, the position of a run's value among its values; None where the run has none."""


@dataclass(frozen=True)
class Key:
    """A key that varies: its `values`, numbers in ascending order, and the `texts` that stand for them."""

    name: str
    values: Sequence[Any]
    texts: Sequence[str]
    unit: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether all of its values are numbers."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @property
    def is_geometric(self) -> bool:
        """Whether its values want a logarithmic axis."""
        if not self.is_numeric or min(self.values) <= 0:
            return False
        low, high = float(min(self.values)), float(max(self.values))
        factors = [float(larger / smaller) for smaller, larger in pairwise(self.values)]
        even = len(factors) > 1 and max(factors) <= UNEVEN * min(factors) and min(factors) >= STEP
        return even or high >= GEOMETRIC * low

    @property
    def label(self) -> str:
        """The label of an axis with its values."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def at(self, position: int | None) -> str:
        """Name a value, such as "noise = 0.3"."""
        return f"{self.name} not set" if position is None else f"{self.name} = {self.texts[position]}"


@dataclass(frozen=True)
class SetOfRun:
    """A student set of a run: its test "accuracy" and "nll", and what it gained over its control.

    `gain` is in percentage points of accuracy, None where there is no control; the `verdict` on it is
    "better", "worse", "no difference shown" or None.
    """

    treatment: str
    scores: Mapping[str, Score]
    gain: float | None = None
    verdict: str | None = None


@dataclass(frozen=True)
class StudyRun:
    """A run: its place, its student sets, and the test accuracy of "teacher" and "Bayes optimum" if known."""

    place: Place
    sets: Sequence[SetOfRun]
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyView:
    """A study: the runs that are there, and the places of those that are `missing`.

    treatments   what students are taught, controls first
    control_of   for those of them that are compared with another, which that is
    draws        the largest number of draws of the data that a run has
    by           position of the key to show on the horizontal axis; None leaves it to the figure
    """

    study: str
    keys: Sequence[Key]
    runs: Sequence[StudyRun]
    treatments: Sequence[str]
    control_of: Mapping[str, str]
    missing: Sequence[Place] = ()
    draws: int = 1
    by: int | None = None

    @property
    def across(self) -> int:
        """Position of the key on the horizontal axis: as asked, or the numeric one of most values."""
        if self.by is not None:
            return self.by

        def suits(k: int) -> tuple[bool, int]:
            return self.keys[k].is_numeric, len(self.keys[k].values)

        return max(range(len(self.keys)), key=suits)  # the first of several that suit alike

    @property
    def controls(self) -> list[str]:
        """The treatments that others are compared with."""
        return [treatment for treatment in self.treatments if treatment in self.control_of.values()]

    def beside(self, most: int) -> int | None:
        """Return the position of a second key: the first other one of at most so many values.

        None if there is none, and its values are to be averaged over.
        """
        for k, key in enumerate(self.keys):
            if k != self.across and 1 < len(self.values_beside(k)) <= most and len(key.values) > 1:
                return k
        return None

    def values_beside(self, second: int | None) -> list[int | None]:
        """Return the positions that runs with a place on the horizontal axis have of a second key, in order.

        One that is not set comes last.
        """
        if second is None:
            return [None]
        places = [*(run.place for run in self.runs), *self.missing]
        known = {place[second] for place in places if place[self.across] is not None}
        return [*sorted(k for k in known if k is not None), *([None] if None in known else [])]

    def averaged(self, second: int | None) -> list[Key]:
        """Return the keys that a figure averages over, which shows the horizontal axis and a second key."""
        shown = (self.across, second)
        return [key for k, key in enumerate(self.keys) if k not in shown and len(key.values) > 1]
