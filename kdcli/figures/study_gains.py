"""What figures of studies share: means over runs, the most telling gain, and lines of captions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from kdcli.figures.captions import percent
from kdcli.figures.forest import WORDS
from kdcli.words import counted, listed

if TYPE_CHECKING:
    from kdcli.figures.study_view import Place, Score, SetOfRun, StudyRun, StudyView

Spot: TypeAlias = tuple[int, int | None]
"""Positions of a value of the key on the horizontal axis and of one of a second key, None without one."""

OVERESTIMATE = "The largest of many gains tends to be an overestimate."


@dataclass(frozen=True)
class SpotGain:
    """The gain of a treatment over its control at a spot: a mean over runs, in points of accuracy.

    So many of the runs are `better` or `worse`; `verdict` is that of the first.
    """

    treatment: str
    spot: Spot
    gain: float
    runs: int
    better: int
    worse: int
    verdict: str | None

    @property
    def agreeing(self) -> int:
        """Number of runs whose verdict has the sign of the gain."""
        return self.better if self.gain > 0 else self.worse


def spot_of(place: Place, across: int, second: int | None) -> Spot | None:
    """Return where in a figure a run is; None if it has no place on the horizontal axis."""
    first = place[across]
    return None if first is None else (first, None if second is None else place[second])


def by_spot(view: StudyView, second: int | None) -> dict[Spot, list[StudyRun]]:
    """Return the runs at each spot of a figure with this second key."""
    spots: dict[Spot, list[StudyRun]] = {}
    for run in view.runs:
        spot = spot_of(run.place, view.across, second)
        if spot is not None:
            spots.setdefault(spot, []).append(run)
    return spots


def of_treatment(runs: Iterable[StudyRun], treatment: str) -> list[SetOfRun]:
    """Return the student sets of a treatment."""
    return [students for run in runs for students in run.sets if students.treatment == treatment]


def mean_score(scores: Sequence[Score]) -> tuple[float, float, float]:
    """Return the mean of means and of the ends of intervals, as wide as if all erred alike.

    NaN stands for what is infinite or unknown.
    """
    if not scores:
        return (math.nan, math.nan, math.nan)
    columns = [
        [math.nan if value is None else value for value in column] for column in zip(*scores, strict=True)
    ]
    mean, low, high = (fmean(column) if all(map(math.isfinite, column)) else math.nan for column in columns)
    return mean, low, high


def gains(view: StudyView, second: int | None) -> list[SpotGain]:
    """Return what each treatment gains at each spot."""
    return [
        _gain(treatment, spot, compared)
        for treatment in view.treatments
        for spot, runs in by_spot(view, second).items()
        if (compared := [s for s in of_treatment(runs, treatment) if s.gain is not None])
    ]


def _gain(treatment: str, spot: Spot, compared: Sequence[SetOfRun]) -> SpotGain:
    verdicts = [students.verdict for students in compared]
    return SpotGain(
        treatment,
        spot,
        fmean(students.gain for students in compared if students.gain is not None),
        len(compared),
        verdicts.count("better"),
        verdicts.count("worse"),
        verdicts[0],
    )


def most_telling(gained: Sequence[SpotGain]) -> SpotGain | None:
    """Return the largest gain or loss, one that a verdict confirms before all others; None without any."""
    return max(gained, key=lambda gain: (gain.agreeing > 0, abs(gain.gain)), default=None)


def finding(view: StudyView, gained: Sequence[SpotGain], second: int | None) -> str:
    """Say which treatment gains or loses most, and at which values."""
    gain = most_telling(gained)
    if gain is None:
        return _most_accurate(view, second)
    size = points(abs(gain.gain))
    if not size.strip("0."):
        names = listed(list(dict.fromkeys(other.treatment for other in gained)))
        return f"{names}: as accurate as the control everywhere"
    where = _at(view, gain.spot, second)
    verb = "gains" if gain.gain > 0 else "loses"
    return f"{gain.treatment} {verb} most at {where}: {size} points of accuracy{_confirmed(gain)}"


def _at(view: StudyView, spot: Spot, second: int | None) -> str:
    """Name the values at a spot."""
    first, other = spot
    where = view.keys[view.across].at(first)
    return where if second is None else f"{where}, {view.keys[second].at(other)}"


def _most_accurate(view: StudyView, second: int | None) -> str:
    """Say where which treatment is most accurate, where none is compared with a control."""
    accuracies = [
        (fmean(students.scores["accuracy"][0] for students in drawn), treatment, spot)
        for spot, runs in by_spot(view, second).items()
        for treatment in view.treatments
        if (drawn := of_treatment(runs, treatment))
    ]
    accuracy, treatment, spot = max(accuracies, key=lambda known: known[0])
    return f"{treatment} is most accurate at {_at(view, spot, second)}: {percent(accuracy)}"


def _confirmed(gain: SpotGain) -> str:
    """Say whether the verdicts confirm a gain; nothing where that of a single run does."""
    if not gain.agreeing:
        return f" ({WORDS[gain.verdict]})"
    word = "better" if gain.gain > 0 else "worse"
    return f" ({word} in {gain.agreeing} of {counted(gain.runs, 'run')})" if gain.runs > 1 else ""


def points(value: float) -> str:
    """Write a difference in points with a proper minus sign."""
    text = f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"
    return text.replace("-", "−" if text.strip("-0.") else "")


def interval_sources_of_study(view: StudyView) -> str:
    """Say within a sentence what the intervals of a study's runs are over."""
    if view.draws > 1:
        return "the draws of the data in a run"
    return "test examples, and over seeds where there are several, for a run's teacher and training data"


def caption_of_means(view: StudyView, second: int | None, what: str, how: str) -> str:
    """Say over which keys `what` is averaged, and `how` its parts are; empty where it is one run's."""
    names = [key.name for key in view.averaged(second)]
    return f"{what} is a mean over the runs that differ in {listed(names)} alone{how}." if names else ""


def caption_of_gaps(view: StudyView) -> str:
    """Say how many runs a figure cannot show; empty if it shows all."""
    key = view.keys[view.across].name
    texts = []
    if view.missing:
        total = len(view.runs) + len(view.missing)
        texts.append(f"Without results so far: {len(view.missing)} of {counted(total, 'run')}.")
    unset = sum(run.place[view.across] is None for run in view.runs)
    if unset:
        texts.append(f"Left out: {counted(unset, 'run')} without a {key} of their own.")
    return " ".join(texts)
