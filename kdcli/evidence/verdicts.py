"""Verdicts: which student sets are compared, and whether a difference is shown."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeVar

from kdcli.errors import Command
from kdcli.inference import INFORMATIVE, compare
from kdcli.metrics import METRICS
from kdcli.runs.pairing import pairing_differences
from kdcli.runs.recipe import BY_TEACHER
from kdcli.runs.student_sets import CONTROL, StudentSet
from kdcli.stats import LEVEL, Draws, Estimate, Sampled, another_draw, holm
from kdcli.words import counted

if TYPE_CHECKING:
    from torch import Tensor

K = TypeVar("K")

Verdict = Literal["better", "worse", "no difference shown"]
UNDECIDED: Verdict = "no difference shown"


@dataclass(frozen=True)
class Measured:
    """The measurements of a model, or of the students of one set, on the test split.

    `group` names the model, for students with their transfer set. `per_seed` has a value for each draw and
    seed. `values` has the compared metrics on every seed and example, `(seeds, n)` for each draw. `how` says
    how draws vary, the same for all models of a run. `recall` is by class, for the user's own data. `rarest`
    is the smallest number of test examples of any class in any draw.
    """

    title: str
    group: str
    how: Draws
    estimates: Mapping[str, Estimate]
    per_seed: Mapping[str, Sequence[Sequence[float]]]
    values: Mapping[str, Sequence[Tensor]]
    recall: Sequence[Estimate] = field(default=(), kw_only=True)
    rarest: int | None = field(default=None, kw_only=True)

    def by_draw(self, metric: str) -> list[float]:
        """Return a metric in each draw, as means over seeds."""
        return [fmean(of_draw) for of_draw in self.per_seed[metric]]


@dataclass(frozen=True)
class Versus:
    """The comparison of one student set with another on one metric.

    `difference` is its mean minus the other's, None if both are infinite. `seeds` is the number of seeds it
    rests on: those in common if the sets are paired, else the smaller number. `interval` has the ends of the
    95 % interval, if there is one. `adjusted` is the p-value of the verdict, corrected for the other
    comparisons. Without a verdict, `why` gives the reason. `detectable` is the smallest difference detected
    with 80 % power, among so many comparisons. `by_draw` has the difference in each draw, and `another` the
    ends of the 95 % prediction interval for another draw, if there are several. `least` is what a single
    example adds to a share that all seeds agree on.
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
    by_draw: Sequence[float] = ()
    another: tuple[float, float] | None = None
    least: float = 0.0

    def detectable_at(self, level: float) -> float | None:
        """Return the smallest difference that is detected with 80 % power at this level."""
        agreeing = math.ceil(math.log2(2 / level)) * self.least  # enough examples that all agree
        return max(self.sampled.detectable(level), agreeing) if self.sampled else None

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.by_draw)

    @property
    def alike(self) -> int:
        """Number of draws whose difference has the sign of the mean."""
        return sum(self.gain * self.sign * difference > 0 for difference in self.by_draw)

    @property
    def gain(self) -> float:
        """The difference, positive if it is an improvement; 0 if it has no value."""
        return self.sign * (self.difference or 0.0)

    @property
    def gain_interval(self) -> tuple[float, float] | None:
        """The ends of the gain's 95 % interval, if there is one."""
        if self.interval is None:
            return None
        low, high = sorted(self.sign * end for end in self.interval)
        return low, high

    @property
    def sign(self) -> int:
        """1 if a higher value is better, else −1."""
        return 1 if METRICS[self.metric].better == "higher" else -1


@dataclass(frozen=True)
class StudentsMeasured(Measured):
    """The students of one set, and their comparison with their control on each compared metric.

    `name` is the set's folder. Without a comparison, `why` gives the reason, and `remedy` the command to run;
    both are empty for a control.
    """

    name: str
    set: StudentSet
    versus: Mapping[str, Versus] = field(default_factory=dict)
    why: str = ""
    remedy: Command | None = None

    @property
    def seeds(self) -> int:
        """Number of students."""
        return len(self.set.seeds)

    @property
    def control(self) -> str:
        """The folder of the set that this set is compared with; empty if there is none."""
        return next((versus.other for versus in self.versus.values()), "")

    @property
    def is_control(self) -> bool:
        """Whether this set is a control, which is not compared itself."""
        return not (self.versus or self.why)

    def of_seeds(self, metric: str, seeds: Sequence[int]) -> list[Tensor]:
        """Return the values of a metric for these seeds, `(seeds, n)` for each draw."""
        places = [self.set.seeds.index(seed) for seed in seeds]
        scale = METRICS[metric].scale
        return [scale(values) * values[places] for values in self.values[metric]]


def by_group(students: Sequence[StudentsMeasured]) -> dict[str, list[StudentsMeasured]]:
    """Return the sets of each model and transfer set, controls first."""
    groups: dict[str, list[StudentsMeasured]] = {}
    for measured in students:
        groups.setdefault(measured.group, []).append(measured)
    return {name: sorted(sets, key=lambda s: not s.is_control) for name, sets in groups.items()}


def contrast(
    students: StudentsMeasured, control: StudentsMeasured, metric: str, without: Container[int] = ()
) -> Versus:
    """Compare two sets on a metric, `without` some seeds; `decide` gives the verdict.

    Paired sets are compared on the seeds that both have.
    """
    paired = not pairing_differences(students.set, control.set)
    ours, theirs = ([seed for seed in s.set.seeds if seed not in without] for s in (students, control))
    if paired:
        ours = theirs = [seed for seed in ours if seed in theirs]
    seeds = min(len(ours), len(theirs))
    if not seeds:
        why = "no seed in common: no seed was trained successfully in both sets"
        return Versus(metric, control.name, paired, None, why=why)
    how, values = students.how, students.of_seeds(metric, ours)
    how = how.of_subsets() if METRICS[metric].subset else how
    kind = METRICS[metric]
    count = kind.scale(values[0]) if kind.counts else 0.0
    comparison = compare(values, control.of_seeds(metric, theirs), paired=paired, how=how, count=count)
    by_draw = comparison.by_draw
    versus = Versus(metric, control.name, paired, comparison.difference, seeds, by_draw=by_draw)
    if comparison.difference is None:
        return replace(versus, verdict=UNDECIDED, why="infinite for both")
    if seeds == 1 and len(by_draw) == 1:
        few = "one seed" if 1 in (students.seeds, control.seeds) else "one seed in common"
        return replace(versus, why=f"{few}: the spread between trainings is unknown")
    if why := comparison.why or _too_rare(students, metric):
        return replace(versus, why=why)
    if comparison.p_value is None:
        several = f"{len(by_draw)} draws" if len(by_draw) > 1 else f"{values[0].shape[1]} examples measured"
        return replace(versus, why=f"no variation among the {several}")
    return replace(
        versus,
        interval=comparison.interval,
        p_value=comparison.p_value,
        sampled=comparison.sampled if comparison.interval else None,
        least=comparison.least,
        another=another_draw(by_draw),
    )


def _too_rare(students: StudentsMeasured, metric: str) -> str:
    """Say why a metric that weights classes equally has no verdict on one test set; empty if it has one."""
    several = len(students.values[metric]) > 1 and not students.how.shared_test
    if not METRICS[metric].by_class or several or students.rarest is None or students.rarest >= INFORMATIVE:
        return ""
    return f"rare class: it has {counted(students.rarest, 'test example')}, but {INFORMATIVE} are needed"


def decide(comparisons: Mapping[K, Versus]) -> dict[K, Versus]:
    """Decide the verdicts of a table, corrected for the number of its comparisons."""
    tested = {key: versus.p_value for key, versus in comparisons.items() if versus.p_value is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    decided = dict(comparisons)
    for key, p in adjusted.items():
        versus = comparisons[key]
        shown: Verdict = "better" if versus.gain > 0 else "worse"
        decided[key] = replace(
            versus,
            adjusted=p,
            verdict=shown if p <= LEVEL else UNDECIDED,
            # At the level of Holm's first step, which any comparison may have to pass.
            detectable=versus.detectable_at(LEVEL / len(tested)),
        )
    return decided


def candidates(students: Sequence[StudentsMeasured], control: str) -> list[StudentsMeasured]:
    """Return the sets that a control's name stands for, sets with their usual names first.

    The name is that of one folder, or of a target and temperature, such as "labels" or "soft-T4"; then each
    set is the control of its own model and transfer set.
    """
    exact = [measured for measured in students if measured.name == control]
    named = [measured for measured in students if control in _names(measured.set)]
    return exact or sorted(named, key=lambda measured: measured.name != measured.set.name)


def _names(student_set: StudentSet) -> tuple[str, ...]:
    """Return the names of a set's target; for `labels`, a label weight makes no other target."""
    relabelled = student_set.settings.labels_from == BY_TEACHER
    plain = (CONTROL,) if student_set.target == CONTROL and not relabelled else ()
    return (student_set.stem(), student_set.stem(whole=False), *plain)


def against_control(
    students: Sequence[StudentsMeasured], compared: Sequence[str], control: str, unpaired: bool
) -> list[StudentsMeasured]:
    """Compare every set with its control, on these metrics."""
    controls: list[StudentsMeasured] = []  # one for each model, transfer set, number of seeds and budget
    for candidate in candidates(students, control):
        others = (other for other in controls if other.group == candidate.group)
        if all(pairing_differences(candidate.set, other.set) for other in others):
            controls.append(candidate)
    own = {measured.name for measured in controls}
    matched = {
        measured.name: _control_of(measured, controls, control, unpaired)
        for measured in students
        if measured.name not in own
    }
    pairs = [(measured, *matched.get(measured.name, (None, ""))) for measured in students]
    comparisons = decide(
        {
            (measured.name, metric): contrast(measured, against, metric)
            for measured, against, _ in pairs
            if against
            for metric in compared
            if metric in measured.values
        }
    )
    return [
        replace(
            measured,
            versus={m: versus for (name, m), versus in comparisons.items() if name == measured.name},
            why=why,
        )
        for measured, _, why in pairs
    ]


def _control_of(
    students: StudentsMeasured, controls: Sequence[StudentsMeasured], name: str, unpaired: bool
) -> tuple[StudentsMeasured | None, str]:
    """Return a set's control among `controls`, or None and the reason."""
    if not controls:
        return None, f"there is no set '{name}' to compare with"

    def distance(control: StudentsMeasured) -> tuple[int, bool]:
        return len(pairing_differences(students.set, control.set)), control.group != students.group

    nearest = min(controls, key=distance)
    reasons = pairing_differences(students.set, nearest.set)
    if not reasons:
        return nearest, ""
    same = [control for control in controls if control.set.model == students.set.model] or list(controls)
    if unpaired and len(same) == 1:
        return same[0], ""
    if unpaired:
        return None, "several sets could be its control; name one with --control"
    return None, f"cannot be paired with {nearest.name}: they differ in {', '.join(reasons)}"
