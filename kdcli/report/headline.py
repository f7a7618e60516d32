"""The finding in brief, printed at the top of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.metrics import METRICS
from kdcli.report.sentences import MECHANISMS, attainable, ends, in_draws, spoken
from kdcli.report.words import amount, visible
from kdcli.runs.student_sets import CONTROL
from kdcli.words import capitalised, counted, listed

if TYPE_CHECKING:
    from kdcli.evidence.findings import Attribution, Decided, GroupFindings
    from kdcli.evidence.gather import Evidence
    from kdcli.evidence.verdicts import StudentsMeasured, Verdict

NEARLY_ALL = 0.9  # of a gain


def headline(evidence: Evidence, groups: Sequence[GroupFindings]) -> str:
    """Say in a few sentences which targets help, by how much and why; empty if there is no verdict.

    A metric is mentioned only if the metrics before it are inconclusive.
    """
    groups = list(map(_taught_something, groups))
    undecided: list[str] = []
    here = f"Over {evidence.draws} draws" if evidence.draws > 1 else "On these training data"
    for metric in evidence.compared:
        judged = _judged(metric, groups)
        open_so_far = _undecided(here, undecided, groups) if undecided else ""
        where = f"{open_so_far} In {METRICS[metric].title}" if undecided else here
        losses = _shown(judged, metric, "worse")
        if gains := _shown(judged, metric, "better"):
            told = [f"{where}, {_largest(gains)}.", *_around(gains, judged), *_harm(losses)]
            return " ".join(told)
        if losses:
            return f"{where}, no target is shown to help, and {_largest(losses)}."
        undecided += [metric] if judged else []
    return _undecided(here, undecided, groups) if undecided else ""


def _taught_something(group: GroupFindings) -> GroupFindings:
    """Leave out the students of untrained teachers: as expected, they learn nothing."""
    decided = [
        replace(each, students=[students for students in each.students if students.set.taught.teaches])
        for each in group.decided
    ]
    return replace(group, decided=[each for each in decided if each.students])


def _judged(metric: str, groups: Sequence[GroupFindings]) -> list[GroupFindings]:
    """Return the groups with a verdict on a metric."""
    return [group for group in groups if any(d.metric == metric and d.verdict for d in group.decided)]


def _shown(groups: Sequence[GroupFindings], metric: str, verdict: Verdict) -> list[tuple[str, Decided]]:
    """Return the sets that have this verdict, with their groups, the largest difference first."""
    shown = [
        (group.group, decided)
        for group in groups
        for decided in group.decided
        if (decided.metric, decided.verdict) == (metric, verdict)
    ]
    return sorted(shown, key=lambda found: -abs(found[1].comparisons[0].gain))


def _largest(found: Sequence[tuple[str, Decided]]) -> str:
    """Write "soft labels at T = 1 help tree most, by 3.55 points of accuracy over labels [3.19, 3.91]"."""
    group, decided = found[0]
    students, versus = decided.students[0], decided.comparisons[0]
    helps = versus.gain > 0
    several = len(found) > 1 or len(decided.students) > 1
    source = " (made from the exact posterior)" if students.set.taught.needs == "posterior" else ""
    subject = f"{_taught(students)}{source} {'help' if helps else 'harm'} {group}{' most' if several else ''}"
    control = _taught(decided.control)
    if versus.interval is None:
        title = METRICS[decided.metric].title
        return f"{subject}: {title} is ∞ only with {control if helps else 'them'}"
    size = amount(decided.metric, abs(versus.gain))
    on_average = " on average" if versus.draws > 1 else ""
    against = f"{'over' if helps else 'against'} {control}{on_average} {ends(versus, gain=helps)}"
    return f"{subject}, by {size} {against}{'' if versus.paired else ' (unpaired)'}{in_draws(versus)}"


def _harm(losses: Sequence[tuple[str, Decided]]) -> list[str]:
    """Name the targets that harm a model, next to those that help."""
    if not losses:
        return []
    decided = [found for _, found in losses]
    named = list(dict.fromkeys(_taught(students) for found in decided for students in found.students))
    largest = max((abs(v.gain) for found in decided for v in found.comparisons if v.interval), default=0.0)
    several = sum(len(found.students) for found in decided) > 1
    size = f", by {'up to ' if several else ''}{amount(decided[0].metric, largest)}" if largest else ""
    models = list(dict.fromkeys(group for group, _ in losses))
    whom = models[0] if len(models) == 1 else counted(len(models), "model")
    return [f"{capitalised(listed(named))} harm {whom}{size}."]


def _taught(students: StudentsMeasured) -> str:
    """Name what a set is taught, such as "soft labels at T = 8"."""
    target = students.set.target
    return spoken(students) if target == CONTROL else spoken(students).replace(target, f"{target} labels", 1)


def _around(gains: Sequence[tuple[str, Decided]], judged: Sequence[GroupFindings]) -> list[str]:
    """Say what brings the largest gain, and how many other models gain."""
    name, largest = gains[0]
    explained = [attribution for group in judged for attribution in group.attributions]
    told = [
        source
        for attribution in explained
        if (attribution.soft.group, attribution.metric) == (name, largest.metric)
        and attribution.soft.set.target == largest.students[0].set.target
        for source in _source(attribution, largest.students[0])
    ]
    if len(judged) > 1:
        gaining, others = len({group for group, _ in gains} - {name}), len(judged) - 1
        if others == 1:
            gain = "gains from some" if gaining else "does not gain from any"
            told.append(f"The other model {gain} target.")
        else:
            gain = {0: "none gains from any", 1: "1 gains from some"}.get(
                gaining, f"{gaining} gain from some"
            )
            told.append(f"Of {counted(others, 'other model')}, {gain} target.")
    return told


def _source(attribution: Attribution, largest: StudentsMeasured) -> list[str]:
    """Name the target that brings most of a gain on its own."""
    shown = [share for share in attribution.shares if share.versus.verdict == "better"]
    if not shown:
        return []
    share = max(shown, key=lambda share: share.versus.gain)
    part = share.versus.gain / attribution.gain
    much = "Nearly all" if part >= NEARLY_ALL else "Part"
    alone = f"{_taught(share.rival)} alone bring {round(100 * part)} % of the gain"
    gain = "it" if attribution.soft.name == largest.name else f"what {_taught(attribution.soft)} gain"
    return [f"{much} of {gain} comes from {MECHANISMS[share.rival.set.target]}: {alone}."]


def _undecided(here: str, metrics: Sequence[str], groups: Sequence[GroupFindings]) -> str:
    """Say that these metrics are inconclusive, and which differences they had the power to detect."""
    judged = _judged(metrics[0], groups)
    models = judged[0].group if len(judged) == 1 else f"any of {counted(len(judged), 'model')}"
    titles = listed([METRICS[metric].title for metric in metrics], "or")
    told = f"{here}, no target is shown to help or harm {models} in {titles}"
    decided = [decided for group in judged for decided in group.decided]
    least = {m: max((d.detectable for d in decided if d.metric == m), default=0.0) for m in metrics}
    sizes = [
        amount(metric, size)
        for metric, size in least.items()
        if visible(metric, size) and attainable(metric, size)
    ]
    if sizes:
        told += f" (80 % power to detect {listed(sizes, 'or')})"
    return f"{told}."
