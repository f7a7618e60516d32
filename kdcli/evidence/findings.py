"""Findings: which sets differ from their control, and where the gains of soft targets come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from kdcli.errors import Command
from kdcli.evidence.gather import COMPARED, Evidence
from kdcli.evidence.verdicts import (
    UNDECIDED,
    StudentsMeasured,
    Verdict,
    Versus,
    by_group,
    contrast,
    decide,
)
from kdcli.runs.student_sets import StudentSet
from kdcli.targets import AUTO, SMOOTHING, TARGETS

USUAL = ("smooth", "hard", "spread", "shuffled")  # do part of what soft targets do, may explain a gain
RIVALS = (*USUAL, "self", "random")  # also targets that do without a large teacher


@dataclass(frozen=True)
class Decided:
    """The sets of a group with this verdict on a metric, against one control; largest difference first."""

    verdict: Verdict
    metric: str
    control: StudentsMeasured
    students: Sequence[StudentsMeasured]

    @property
    def comparisons(self) -> list[Versus]:
        """The comparison of each set."""
        return [measured.versus[self.metric] for measured in self.students]

    @property
    def detectable(self) -> float:
        """The smallest difference that every comparison has the power to detect; 0 if it is unknown.

        Students of untrained teachers are left out: they vary so much that they would hide the others' power.
        """
        taught = (measured.versus[self.metric] for measured in self.students if measured.set.taught.teaches)
        return max((versus.detectable or 0.0 for versus in taught), default=0.0)


@dataclass(frozen=True)
class Share:
    """Another target's share of a gain: `versus` compares it with the control, `beyond` the soft set with it.

    The verdict of `versus` is that of the table.
    """

    rival: StudentsMeasured
    versus: Versus
    beyond: Versus


@dataclass(frozen=True)
class Attribution:
    """The attribution of the gain of soft targets over their control.

    All differences are on the `seeds` that all sets involved share, so that they add up; `common` is their
    number. An `obstacle` prevents the attribution: too few "seeds" in common, or "no gain" on them. The soft
    targets are the best of `among` sets on validation examples.
    """

    soft: StudentsMeasured
    control: StudentsMeasured
    metric: str
    gain: float
    seeds: Sequence[int]
    common: int
    shares: Sequence[Share]
    obstacle: Literal["", "seeds", "no gain"] = ""
    among: int = 1


@dataclass(frozen=True)
class GroupFindings:
    """The findings on one model and transfer set.

    `tells` is the command that trains missing targets which may explain a gain.
    """

    group: str
    decided: Sequence[Decided]
    attributions: Sequence[Attribution]
    tells: Command | None


def findings(evidence: Evidence) -> list[GroupFindings]:
    """Return the findings on each group of sets."""
    explained = attributions(evidence)
    groups = []
    for group, sets in by_group(evidence.students).items():
        decided = [d for metric in evidence.compared for d in _decided(evidence, sets, metric)]
        own = [attribution for attribution in explained if attribution.soft.group == group]
        groups.append(GroupFindings(group, decided, own, _tells(evidence, own)))
    return groups


def _decided(evidence: Evidence, sets: Sequence[StudentsMeasured], metric: str) -> list[Decided]:
    """Group the sets by verdict and control."""
    judged = [measured for measured in sets if metric in measured.versus]
    judged.sort(key=lambda measured: -abs(measured.versus[metric].gain))
    verdicts: tuple[Verdict, ...] = ("better", "worse", UNDECIDED)
    groups: dict[tuple[Verdict, str], list[StudentsMeasured]] = {}
    for verdict in verdicts:
        for measured in judged:
            if measured.versus[metric].verdict == verdict:
                groups.setdefault((verdict, measured.control), []).append(measured)
    return [
        Decided(verdict, metric, evidence.named(control), students)
        for (verdict, control), students in groups.items()
    ]


@dataclass(frozen=True)
class _Case:
    """A set of soft targets, its control, and the sets that may explain what it gains."""

    soft: StudentsMeasured
    control: StudentsMeasured
    rivals: Sequence[StudentsMeasured]
    metric: str

    @property
    def versus(self) -> Versus:
        """The table's comparison of the soft targets with their control."""
        return self.soft.versus[self.metric]

    @property
    def lacking(self) -> set[int]:
        """The seeds that any of the sets lacks."""
        sets = (self.soft, self.control, *self.rivals)
        return {seed for measured in sets for seed in chain(*measured.set.lost.values())}

    def contrast(self, students: StudentsMeasured, other: StudentsMeasured) -> Versus:
        return contrast(students, other, self.metric, self.lacking)

    def on_validation(self, evidence: Evidence) -> float:
        """Return the metric of the soft targets on validation examples, signed so that higher is better."""
        return self.versus.sign * evidence.on_validation(self.soft.name, self.metric)

    def attribution(self, beyond: Mapping[str, Versus]) -> Attribution:
        """Attribute the gain to the rivals; `beyond` compares the soft targets with each rival."""
        gain = self.contrast(self.soft, self.control)
        shares: list[Share] = []
        obstacle: Literal["", "seeds", "no gain"] = ""
        if self.rivals and not gain.interval:
            obstacle = "seeds"
        elif self.rivals and gain.gain <= 0:
            obstacle = "no gain"
        else:
            for rival in self.rivals:
                versus = self.contrast(rival, self.control)
                versus = replace(versus, verdict=rival.versus[self.metric].verdict)
                shares.append(Share(rival, versus, beyond[rival.name]))
        seeds = [seed for seed in self.soft.set.seeds if seed not in self.lacking]
        return Attribution(
            self.soft, self.control, self.metric, gain.gain, seeds, gain.seeds, shares, obstacle
        )


def attributions(evidence: Evidence) -> list[Attribution]:
    """Explain the gain of soft targets in each group by the gains of other targets.

    Of several temperatures, the one that is best on validation examples is explained: the largest gain on the
    test examples would be overestimated, since it would be selected on them.
    """
    cases = [
        _Case(
            soft,
            evidence.named(soft.control),
            _rivals(soft, metric, evidence),
            metric,
        )
        for soft in evidence.students
        for metric in COMPARED
        if soft.set.target == "soft" and metric in soft.versus and soft.versus[metric].interval
    ]
    # The correction covers all cases, since the verdicts decide which gains are explained.
    beyond = decide(
        {
            (k, rival.name): case.contrast(case.soft, rival)
            for k, case in enumerate(cases)
            for rival in case.rivals
        }
    )
    places: dict[tuple[str, str, str], list[int]] = {}
    for k, case in enumerate(cases):
        places.setdefault((case.soft.group, case.soft.control, case.metric), []).append(k)
    found = []
    for rivalling in places.values():
        if not any(cases[k].versus.verdict == "better" for k in rivalling):
            continue
        best = (
            max(rivalling, key=lambda k: cases[k].on_validation(evidence)) if rivalling[1:] else rivalling[0]
        )
        if cases[best].versus.verdict == "better":
            explained = {name: versus for (k, name), versus in beyond.items() if k == best}
            found.append(replace(cases[best].attribution(explained), among=len(rivalling)))
    return found


def _explains(rival: StudentsMeasured, soft: StudentsMeasured, metric: str) -> bool:
    """Whether a set's gain may explain that of soft targets: the same control, and a rival target."""
    return (
        metric in rival.versus
        and rival.versus[metric].interval is not None
        and rival.set.target in RIVALS
        and rival.group == soft.group
        and rival.control == soft.control
        and rival.set.settings.label_weight == soft.set.settings.label_weight
        and (not rival.set.taught.softened or _same_temperature(rival.set, soft.set))
    )


def _same_temperature(rival: StudentSet, soft: StudentSet) -> bool:
    """Whether two sets have the same temperature, or each chose its own best one."""
    return rival.temperature == soft.temperature or bool(rival.chosen and soft.chosen)


def _rivals(soft: StudentsMeasured, metric: str, evidence: Evidence) -> list[StudentsMeasured]:
    """Return the sets that may explain a gain; of several ε, the best on validation examples."""
    rivals = [rival for rival in evidence.students if _explains(rival, soft, metric)]
    smoothed = [rival for rival in rivals if rival.set.taught.setting == SMOOTHING]
    if len(smoothed) < 2:
        return rivals
    best = max(
        smoothed, key=lambda rival: rival.versus[metric].sign * evidence.on_validation(rival.name, metric)
    )
    return [rival for rival in rivals if rival not in smoothed or rival is best]


def _tells(evidence: Evidence, explained: Sequence[Attribution]) -> Command | None:
    """Return the command that trains missing targets which may explain a gain in accuracy, if any."""
    for attribution in explained:
        trained = {share.rival.set.target for share in attribution.shares}
        missing = [
            target
            for target in USUAL
            if target not in {*trained, attribution.control.set.target}
            and evidence.description.n_classes >= TARGETS[target].least_classes
        ]
        if attribution.metric == "accuracy" and missing and not attribution.obstacle:
            others = map(attribution.soft.set.taught_instead, missing)
            return evidence.training(*(s.at(AUTO) if s.taught.setting == SMOOTHING else s for s in others))
    return None
