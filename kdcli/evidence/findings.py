"""What the evidence comes to: what differs from its control, and where gains of soft targets come from."""

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

USUAL = ("smooth", "hard", "spread", "shuffled")  # do less than soft targets, may explain their gain
RIVALS = (*USUAL, "self", "random")  # and those that do it without a large teacher


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
        """The smallest difference that each comparison would show; 0 where that is not known.

        Students of untrained teachers differ so much that they would hide what the others show.
        """
        taught = (measured.versus[self.metric] for measured in self.students if measured.set.taught.teaches)
        return max((versus.detectable or 0.0 for versus in taught), default=0.0)


@dataclass(frozen=True)
class Share:
    """How another target compares with the control of a gain, and what the gaining set has beyond it.

    The verdict of `versus` is the table's.
    """

    rival: StudentsMeasured
    versus: Versus
    beyond: Versus


@dataclass(frozen=True)
class Attribution:
    """Where the gain of soft targets over their control comes from.

    All differences are on the `seeds` that every set has which is named, so that they add up; they rest on so
    many seeds in `common`. An `obstacle` keeps the gain from being shared out: too few "seeds" in common, or
    "no gain" on those. The soft targets are those of `among` sets that are best on validation examples.
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
    """What the comparisons of one model and transfer set come to.

    `tells` is the command that trains targets which may explain a gain and are not there.
    """

    group: str
    decided: Sequence[Decided]
    attributions: Sequence[Attribution]
    tells: Command | None


def findings(evidence: Evidence) -> list[GroupFindings]:
    """Return what each group of sets comes to."""
    explained = attributions(evidence)
    groups = []
    for group, sets in by_group(evidence.students).items():
        decided = [d for metric in evidence.compared for d in _decided(evidence, sets, metric)]
        own = [attribution for attribution in explained if attribution.soft.group == group]
        groups.append(GroupFindings(group, decided, own, _tells(evidence, own)))
    return groups


def _decided(evidence: Evidence, sets: Sequence[StudentsMeasured], metric: str) -> list[Decided]:
    """Put the sets together that have one verdict and one control."""
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
        """The comparison of the soft targets with their control, as the table has it."""
        return self.soft.versus[self.metric]

    @property
    def lacking(self) -> set[int]:
        """The seeds that one of the sets left out."""
        sets = (self.soft, self.control, *self.rivals)
        return {seed for measured in sets for seed in chain(*measured.set.lost.values())}

    def contrast(self, students: StudentsMeasured, other: StudentsMeasured) -> Versus:
        return contrast(students, other, self.metric, self.lacking)

    def on_validation(self, evidence: Evidence) -> float:
        """Return the metric of the soft targets on validation examples, higher where it is better."""
        return self.versus.sign * evidence.on_validation(self.soft.name, self.metric)

    def attribution(self, beyond: Mapping[str, Versus]) -> Attribution:
        """Share the gain out among the rivals; `beyond` is what the soft targets have beyond each."""
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

    Of several temperatures it is the one that is best on validation examples: the largest gain on the test
    examples would be too large on average, having been chosen by them.
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
    # All are corrected for, since which gains are explained depends on where one is shown.
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
    """Whether a set's gain may explain that of another: the same control, a target that does less."""
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
    """Whether two sets have one temperature, or each chose the best for itself."""
    return rival.temperature == soft.temperature or bool(rival.chosen and soft.chosen)


def _rivals(soft: StudentsMeasured, metric: str, evidence: Evidence) -> list[StudentsMeasured]:
    """Return the sets that may explain a gain; of several ε the one that is best on validation examples."""
    rivals = [rival for rival in evidence.students if _explains(rival, soft, metric)]
    smoothed = [rival for rival in rivals if rival.set.taught.setting == SMOOTHING]
    if len(smoothed) < 2:
        return rivals
    best = max(
        smoothed, key=lambda rival: rival.versus[metric].sign * evidence.on_validation(rival.name, metric)
    )
    return [rival for rival in rivals if rival not in smoothed or rival is best]


def _tells(evidence: Evidence, explained: Sequence[Attribution]) -> Command | None:
    """Return the command that trains what else may explain a gain of accuracy; None if all is there."""
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
