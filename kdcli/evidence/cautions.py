"""Cautions about the evidence, as data; `report.cautions` puts them into words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import TypeAlias

from kdcli.errors import Command, Text
from kdcli.evidence.gather import SCALED, Evidence
from kdcli.evidence.remedies import Remembers
from kdcli.evidence.trainings import NearChance, Overfitted, SameLabels, StillFalling
from kdcli.evidence.verdicts import UNDECIDED, StudentsMeasured, Verdict, Versus
from kdcli.inference import compare
from kdcli.stats import LEVEL, Source, holm

NEARLY_HARD = 0.99  # mean top probability from which soft labels are hardly soft
COARSE = 0.01  # difference in accuracy that a comparison should be able to detect
ALIKE = 1e-3  # relative difference below which two scores count as equal
TEN = 10  # recommended number of seeds


@dataclass(frozen=True)
class Edited:
    """Artefacts that were made with other settings than the run's recipe has."""

    note: Text


@dataclass(frozen=True)
class SeedsLeftOut:
    """A set that lacks seeds, by the reason; which seeds `overflowed` was decided on the test split."""

    students: StudentsMeasured
    seeds: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class SingleSeed:
    """Sets of one seed, which have no verdict, and the command that trains more seeds of the first group."""

    students: Sequence[StudentsMeasured]
    more_seeds: Command


@dataclass(frozen=True)
class Coarse:
    """The smallest difference in accuracy that all comparisons have the power to detect, and what limits it.

    With `overlapping`, the draws split the same examples and overlap so much that more draws help little.
    """

    detectable: float
    limited_by: Source
    n_test: int
    overlapping: bool = False


@dataclass(frozen=True)
class NearlyHard:
    """A temperature at which the teacher's top class has this probability on average."""

    temperature: float
    top: float


@dataclass(frozen=True)
class SameScores:
    """Two sets that differ only in temperature and have the same scores."""

    students: StudentsMeasured
    other: StudentsMeasured


@dataclass(frozen=True)
class BeyondTeacher:
    """Students whose accuracy is above that of the teacher they learned from."""

    students: StudentsMeasured
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class WeakTeacher:
    """A control, which learned from labels only, with an accuracy above the teacher's."""

    control: StudentsMeasured
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class OneDraw:
    """All verdicts rest on one draw of the data; the command makes several, if there can be others."""

    more_draws: Command | None


@dataclass(frozen=True)
class Calibration:
    """A verdict on NLL that changes once both sets are calibrated; the new verdict is `scaled`, or None."""

    students: StudentsMeasured
    verdict: Verdict
    scaled: Verdict | None


Caution: TypeAlias = (
    Edited
    | SeedsLeftOut
    | SingleSeed
    | OneDraw
    | Coarse
    | NearlyHard
    | Remembers
    | SameScores
    | BeyondTeacher
    | WeakTeacher
    | StillFalling
    | Overfitted
    | NearChance
    | SameLabels
    | Calibration
)


def cautions(evidence: Evidence) -> list[Caution]:
    """Return the cautions that follow from the evidence."""
    return [
        *map(Edited, evidence.edits),
        *(SeedsLeftOut(s, s.set.lost) for s in evidence.students if s.set.lost),
        *_single_seeds(evidence),
        *([OneDraw(evidence.more_draws)] if evidence.draws == 1 and evidence.tests else []),
        *_coarse(evidence),
        *_nearly_hard(evidence),
        *_same_scores(evidence),
        *_beyond_teacher(evidence),
        *_calibration(evidence),
    ]


def _calibration(evidence: Evidence) -> list[Calibration]:
    """Find verdicts on NLL that change with temperature scaling, if the scaled NLL is compared too."""
    found = []
    for students in evidence.students:
        raw, scaled = students.versus.get("nll"), students.versus.get(SCALED)
        if raw and scaled and raw.verdict and raw.verdict != scaled.verdict:
            found.append(Calibration(students, raw.verdict, scaled.verdict))
    return found


def _single_seeds(evidence: Evidence) -> list[SingleSeed]:
    single = [s for s in evidence.students if s.seeds == 1 and not s.set.lost]
    if not single or evidence.draws > 1:
        return []
    sets = [s.set.with_seeds(TEN) for s in single if s.group == single[0].group]
    return [SingleSeed(single, evidence.training(*sets))]


def _coarse(evidence: Evidence) -> list[Coarse]:
    """Find the comparison with the least power, if it cannot detect a point of accuracy."""
    limits = {
        versus.detectable: _limited_by(versus, LEVEL / evidence.tests)
        for s in evidence.students
        if (versus := s.versus.get("accuracy")) and versus.verdict == UNDECIDED
        if versus.detectable and versus.sampled and s.set.taught.teaches
    }
    least = max(limits, default=0.0)
    overlapping = evidence.students[0].how.overlap * evidence.draws > 1
    return [Coarse(least, limits[least], evidence.n_test, overlapping)] if COARSE < least < 1 else []


def _limited_by(versus: Versus, level: float) -> Source:
    """Return the main source of uncertainty; "examples" if they alone are too few to show more."""
    if versus.sampled is None or versus.sampled.detectable(level) < (versus.detectable or 0.0):
        return "examples"
    return versus.sampled.limited_by(level)


def _nearly_hard(evidence: Evidence) -> list[NearlyHard]:
    """Find temperatures at which the teacher's soft labels are nearly hard on the training data."""
    if evidence.teacher_logits is None:
        return []
    of_teacher = [s for s in _softened(evidence) if s.set.taught.needs == "teacher"]
    temperatures = sorted({s.set.temperature for s in of_teacher})
    logits = evidence.teacher_logits
    tops = {t: float((logits / t).softmax(-1).amax(-1).mean()) for t in temperatures}
    return [NearlyHard(t, top) for t, top in tops.items() if top >= NEARLY_HARD]


def _same_scores(evidence: Evidence) -> list[SameScores]:
    """Find temperatures that made no difference to any seed."""
    return [
        SameScores(students, other)
        for students, other in combinations(_softened(evidence), 2)
        if students.set.temperature != other.set.temperature
        and students.set.at(1.0) == other.set.at(1.0)
        and all(_alike(students.per_seed[metric], other.per_seed[metric]) for metric in ("accuracy", "nll"))
    ]


def _alike(scores: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> bool:
    return all(
        a == b or (math.isfinite(a + b) and abs(a - b) <= ALIKE * max(abs(a), abs(b)))
        for a, b in zip(chain(*scores), chain(*others), strict=True)
    )


def _softened(evidence: Evidence) -> list[StudentsMeasured]:
    return [s for s in evidence.students if s.set.taught.softened and s.set.taught.teaches]


def _beyond_teacher(evidence: Evidence) -> list[BeyondTeacher | WeakTeacher]:
    """Find students that are better than the teacher: those that learned from it, and controls."""
    if evidence.teacher is None:
        return []
    theirs, how = evidence.teacher.values["accuracy"], evidence.teacher.how
    several = evidence.draws > 1
    controls = {s.control for s in evidence.students}
    sets = [
        s
        for s in evidence.students
        if (s.set.taught.needs == "teacher" or s.name in controls) and (several or s.seeds > 1)
    ]
    compared = [
        compare(
            s.values["accuracy"],
            [values.expand(s.seeds, -1) for values in theirs],
            paired=True,
            how=how,
            count=1.0,
        )
        for s in sets
    ]
    adjusted = holm([comparison.p_value or 1.0 for comparison in compared])
    return [
        (BeyondTeacher if students.set.taught.needs == "teacher" else WeakTeacher)(
            students, comparison.difference, comparison.interval
        )
        for students, comparison, p in zip(sets, compared, adjusted, strict=True)
        if p <= LEVEL and comparison.interval and comparison.difference and comparison.difference > 0
    ]
