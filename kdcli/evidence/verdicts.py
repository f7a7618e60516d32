"""Verdicts: which student set is compared with which, and whether a difference is shown."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from torch import Tensor

from kdcli.errors import Command
from kdcli.metrics import METRICS
from kdcli.runs.experiment import TrainedStudents
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.student_sets import CONTROL, StudentSet
from kdcli.stats import LEVEL, Estimate, Sampled, compare, holm

K = TypeVar("K")

Verdict = Literal["better", "worse", "no difference shown"]
UNDECIDED: Verdict = "no difference shown"


@dataclass(frozen=True)
class Measured:
    """A model, or the students of one set, on the test split: each metric with its interval, and by seed.

    `group` names its model, of students with their transfer set. `values` are those of the compared
    metrics on every seed and example, `(seeds, n)`.
    """

    title: str
    group: str
    estimates: Mapping[str, Estimate]
    per_seed: Mapping[str, Sequence[float]]
    values: Mapping[str, Tensor]


@dataclass(frozen=True)
class Versus:
    """How one student set compares with another on one metric.

    `difference` is its mean less the other's; None where both are infinite. `seeds` is how many it rests on:
    those that both have if they are paired, else the smaller number of the two. `interval` has the ends of
    the 95 % interval, where there are any. `adjusted` is the p-value by which the verdict is given, corrected
    for the other comparisons. Without a verdict, `why` says what is in the way. `detectable` is the
    smallest difference that would be shown four times in five, among so many comparisons.
    """

    metric: str
    other: str
    paired: bool
    difference: float | None
    seeds: int = 0
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    adjusted: float | None = None
    verdict: Verdict | None = None
    why: str = ""
    detectable: float | None = None
    sampled: Sampled | None = None

    @property
    def gain(self) -> float:
        """The difference, counted positive where it is for the better; 0 where there is none to speak of."""
        sign = 1 if METRICS[self.metric].better == "higher" else -1
        return sign * (self.difference or 0.0)


@dataclass(frozen=True)
class StudentsMeasured(Measured):
    """The students of one set, and how they compare with their control on each compared metric.

    Without a comparison `why` says what is in the way, and `remedy` what to run; both are empty for a
    control itself.
    """

    trained: TrainedStudents
    versus: Mapping[str, Versus] = field(default_factory=dict)
    why: str = ""
    remedy: Command | None = None

    @property
    def name(self) -> str:
        """The set's folder."""
        return self.trained.folder

    @property
    def set(self) -> StudentSet:
        """The set's settings."""
        return self.trained.set

    @property
    def seeds(self) -> int:
        """Number of students."""
        return len(self.set.seeds)

    @property
    def control(self) -> str:
        """Folder of the set that it is compared with; empty if there is none."""
        return next((versus.other for versus in self.versus.values()), "")


def by_group(students: Sequence[StudentsMeasured]) -> dict[str, list[StudentsMeasured]]:
    """Return the sets of each model and transfer set, controls first."""
    groups: dict[str, list[StudentsMeasured]] = {}
    for one in students:
        groups.setdefault(one.group, []).append(one)
    return {name: sorted(sets, key=lambda one: bool(one.versus or one.why)) for name, sets in groups.items()}


def contrast(
    ones: StudentsMeasured, others: StudentsMeasured, metric: str, without: Container[int] = ()
) -> Versus:
    """Compare two sets on a metric, `without` some seeds; `decide` gives the verdict.

    Paired ones are compared on the seeds that both have.
    """
    scale = METRICS[metric].scale(ones.values[metric])
    paired = not ones.set.pairing_differences(others.set)
    of_both = [[seed for seed in one.set.seeds if seed not in without] for one in (ones, others)]
    if paired:
        of_both = [[seed for seed in of_both[0] if seed in of_both[1]]] * 2
    values, against = (
        one.values[metric][[one.set.seeds.index(seed) for seed in seeds]]
        for one, seeds in zip((ones, others), of_both, strict=True)
    )
    seeds = min(len(values), len(against))
    if not seeds:
        return Versus(metric, others.name, paired, None, why="no seed in common: none is left that both have")
    found = compare(scale * values, scale * against, paired=paired)
    versus = Versus(metric, others.name, paired, found.difference, seeds)
    if found.difference is None:
        return replace(versus, verdict=UNDECIDED, why="infinite for both")
    if seeds == 1:
        few = "one seed" if any(one.seeds == 1 for one in (ones, others)) else "one seed in common"
        return replace(versus, why=f"{few}: the spread of training is unknown")
    if found.p_value is None:
        n = values.shape[1]
        return replace(versus, why=f"nothing varies in the {n} examples that it is measured on")
    sampled = found.sampled if found.interval else None
    return replace(versus, interval=found.interval, p_value=found.p_value, sampled=sampled)


def decide(found: Mapping[K, Versus]) -> dict[K, Versus]:
    """Give the verdicts of a table, corrected for the number of its comparisons."""
    tested = {key: versus.p_value for key, versus in found.items() if versus.p_value is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    decided = dict(found)
    for key, p in adjusted.items():
        versus = found[key]
        shown: Verdict = "better" if versus.gain > 0 else "worse"
        decided[key] = replace(
            versus,
            adjusted=p,
            verdict=shown if p <= LEVEL else UNDECIDED,
            # At the level of Holm's first step, which each comparison may have to pass.
            detectable=versus.sampled.detectable(LEVEL / len(tested)) if versus.sampled else None,
        )
    return decided


def candidates(students: Sequence[StudentsMeasured], control: str) -> list[StudentsMeasured]:
    """Return the sets that a control's name stands for, those with their usual names first.

    That is one folder, or all sets of a target and temperature, such as "labels" or "soft-T4", which are
    the controls of their own model and transfer set.
    """
    exact = [one for one in students if one.name == control]
    named = [one for one in students if control in _names(one.set)]
    return exact or sorted(named, key=lambda one: one.name != one.set.name)


def _names(student_set: StudentSet) -> tuple[str, ...]:
    """Return the names of what a set is taught; a weight of the labels makes no other target of labels."""
    plain = (CONTROL,) if student_set.target == CONTROL else ()
    return (student_set.stem(), student_set.stem(whole=False), *plain)


def against_control(
    students: Sequence[StudentsMeasured], compared: Sequence[str], control: str, unpaired: bool
) -> list[StudentsMeasured]:
    """Compare every set with its control, on these metrics."""
    able: list[StudentsMeasured] = []  # one for each model, transfer set, number of seeds and budget
    for one in candidates(students, control):
        if all(one.set.pairing_differences(other.set) for other in able):
            able.append(one)
    chosen: dict[str, StudentsMeasured] = {}
    why: dict[str, str] = {}
    for one in students:
        if one not in able:
            other, reason = _control_of(one, able, control, unpaired)
            if other:
                chosen[one.name] = other
            else:
                why[one.name] = reason
    decided = decide(
        {
            (one.name, metric): contrast(one, chosen[one.name], metric)
            for one in students
            if one.name in chosen
            for metric in compared
            if metric in one.values
        }
    )
    return [
        replace(
            one,
            versus={metric: versus for (name, metric), versus in decided.items() if name == one.name},
            why=why.get(one.name, ""),
            remedy=_remedy(one, control) if one.name in why else None,
        )
        for one in students
    ]


def _control_of(
    one: StudentsMeasured, able: Sequence[StudentsMeasured], control: str, unpaired: bool
) -> tuple[StudentsMeasured | None, str]:
    """Return a set's control among those that are `able` to be one, or None and why there is none."""
    if not able:
        return None, f"there is no set '{control}' to compare with"
    nearest = min(able, key=lambda other: len(one.set.pairing_differences(other.set)))
    reasons = one.set.pairing_differences(nearest.set)
    if not reasons:
        return nearest, ""
    same = [other for other in able if other.set.model == one.set.model] or list(able)
    if unpaired and len(same) == 1:
        return same[0], ""
    if unpaired:
        return None, "several sets could be its control; name one with --control"
    return None, f"cannot be paired with {nearest.name}: they differ in {', '.join(reasons)}"


def _remedy(one: StudentsMeasured, control: str) -> Command | None:
    """Return the command that makes a control for a set, where that is one trained on labels."""
    if control != CONTROL:
        return None
    experiment = one.trained.experiment
    wanted = one.set.taught_instead(CONTROL).with_seeds(len(one.set.seeds_asked))
    there = experiment.stored(f"{STUDENTS}/{wanted.name}")
    more = (
        there and there.record.with_seeds(len(wanted.seeds)) == wanted and there.record.scored < wanted.scored
    )
    folder = wanted.name if more or not there else f"{wanted.name}-for-{one.name}"
    return experiment.run.command("distill", **wanted.making(experiment.recipe, folder))
