"""What the evidence says in sentences: verdicts, and where gains come from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from kdcli.errors import Text, joined
from kdcli.evidence.gather import COMPARED, Evidence
from kdcli.evidence.verdicts import UNDECIDED, StudentsMeasured, Versus, by_group, contrast, decide
from kdcli.evidence.wording import amount, listed, number, seeds_counted, series, spoken
from kdcli.metrics import METRICS
from kdcli.targets import TARGETS

EXPLANATIONS = {
    "smooth": "which is regularisation",
    "hard": "which is label cleaning",
    "shuffled": "which is the teacher's confidence without its dark knowledge",
}


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

    All differences are on the `seeds` that every set has which is named, so that they add up. `why` says
    what keeps the gain from being shared out, if something does.
    """

    soft: StudentsMeasured
    metric: str
    gain: float
    seeds: Sequence[int]
    shares: Sequence[Share]
    why: str = ""


@dataclass(frozen=True)
class _Case:
    """A set of soft targets, its control, and the sets that may explain what it gains."""

    soft: StudentsMeasured
    control: StudentsMeasured
    rivals: Sequence[StudentsMeasured]
    metric: str

    @property
    def gain(self) -> float:
        """What the soft targets gain, as the table has it."""
        return self.soft.versus[self.metric].gain

    @property
    def lacked(self) -> set[int]:
        """The seeds that one of the sets left out."""
        sets = (self.soft, self.control, *self.rivals)
        return {seed for one in sets for seed in chain(*one.set.lost.values())}

    def contrast(self, one: StudentsMeasured, other: StudentsMeasured) -> Versus:
        return contrast(one, other, self.metric, self.lacked)

    def attribution(self, beyond: Mapping[str, Versus]) -> Attribution:
        """Share the gain out among the rivals; `beyond` is what the soft targets have beyond each."""
        gain = self.contrast(self.soft, self.control)
        seeds = [seed for seed in self.soft.set.seeds if seed not in self.lacked]
        shares, why = [], ""
        if self.rivals and not gain.interval:
            why = f"the sets that could tell have {seeds_counted(gain.seeds)} in common"
        elif self.rivals and gain.gain <= 0:
            why = f"on the {seeds_counted(gain.seeds)} that the sets have in common there is none"
        else:
            for rival in self.rivals:
                versus = self.contrast(rival, self.control)
                versus = replace(versus, verdict=rival.versus[self.metric].verdict)
                shares.append(Share(rival, versus, beyond[rival.name]))
        return Attribution(self.soft, self.metric, gain.gain, seeds, shares, why)


def attributions(evidence: Evidence) -> list[Attribution]:
    """Explain the largest shown gain of soft targets in each group by the gains of other targets."""
    sets = {one.name: one for one in evidence.students}
    cases = []
    for soft in evidence.students:
        for metric in COMPARED:
            if soft.set.target == "soft" and metric in soft.versus and soft.versus[metric].interval:
                rivals = [rival for rival in evidence.students if _explains(rival, soft, metric)]
                cases.append(_Case(soft, sets[soft.control], rivals, metric))
    # All are corrected for, since the largest gain is chosen after having seen them.
    beyond = decide(
        {(k, one.name): case.contrast(case.soft, one) for k, case in enumerate(cases) for one in case.rivals}
    )
    largest: dict[tuple[str, str, str], int] = {}
    for k, case in enumerate(cases):
        place = (case.soft.group, case.soft.control, case.metric)
        if place not in largest or case.gain > cases[largest[place]].gain:
            largest[place] = k
    return [
        cases[k].attribution({name: versus for (of, name), versus in beyond.items() if of == k})
        for k in largest.values()
        if cases[k].soft.versus[cases[k].metric].verdict == "better"
    ]


def _explains(rival: StudentsMeasured, soft: StudentsMeasured, metric: str) -> bool:
    """Whether a set's gain may explain that of another: the same control, a target that does less."""
    return (
        metric in rival.versus
        and rival.versus[metric].interval is not None
        and rival.set.target in EXPLANATIONS
        and rival.group == soft.group
        and rival.control == soft.control
        and rival.set.settings.label_weight == soft.set.settings.label_weight
        and (not rival.set.taught.softened or rival.set.temperature == soft.set.temperature)
    )


def sentences(evidence: Evidence, found: Sequence[Attribution]) -> dict[str, list[Text]]:
    """Say of each group what beats its control, what falls behind, what is open, and why gains are there."""
    texts = {}
    for group, sets in by_group(evidence.students).items():
        said: list[Text] = [
            text for metric in evidence.compared for text in _verdicts(evidence, sets, metric)
        ]
        here = [one for one in found if one.soft.group == group]
        said += [_explained(one, evidence) for one in here if one.shares or one.why]
        said += _unexplained(evidence, [one for one in here if not one.why])
        if said:
            texts[group] = [_capitalised(text) for text in said]
    return texts


def _capitalised(text: Text) -> Text:
    first, *rest = (text,) if isinstance(text, str) else text
    return joined(first[0].upper() + first[1:], *rest) if isinstance(first, str) else text


def _verdicts(evidence: Evidence, sets: Sequence[StudentsMeasured], metric: str) -> list[str]:
    judged = [one for one in sets if metric in one.versus]
    judged.sort(key=lambda one: -abs(one.versus[metric].gain))
    n = len(evidence.data.splits["test"].y)
    texts = []
    for verdict, verb in (("better", "beats"), ("worse", "falls behind")):
        for other, those in _by_control(judged, metric, verdict).items():
            seeds = " or ".join(map(str, sorted({one.versus[metric].seeds for one in those})))
            text = _decided(those, metric, f"{verb} {_named(evidence, other)}")
            texts.append(f"{text}; {seeds} seeds, {n:,} test examples.")
    for other, those in _by_control(judged, metric, UNDECIDED).items():
        texts += _undecided(those, metric, _named(evidence, other))
    return texts


def _by_control(
    judged: Iterable[StudentsMeasured], metric: str, verdict: str
) -> dict[str, list[StudentsMeasured]]:
    groups: dict[str, list[StudentsMeasured]] = {}
    for one in judged:
        if one.versus[metric].verdict == verdict:
            groups.setdefault(one.control, []).append(one)
    return groups


def _decided(those: Sequence[StudentsMeasured], metric: str, verb: str) -> str:
    """Write "soft at T = 8 beats labels by 2.9 points of accuracy [2.6, 3.2]; soft at T = 4 by …"."""
    parts: list[str] = []
    for one in those:
        versus = one.versus[metric]
        mark = "" if versus.paired else " (unpaired)"
        if versus.interval is None:
            whose = "that of the control" if versus.gain > 0 else "theirs"
            parts.append(f"{spoken(one)} {verb} in {METRICS[metric].title}{mark}: {whose} alone is ∞")
        else:
            by = number(metric, abs(versus.gain)) if parts else amount(metric, abs(versus.gain))
            first = "" if parts else f" {verb}"
            parts.append(
                f"{spoken(one)}{first} by {by} {_ends(versus, (versus.difference or 0.0) < 0)}{mark}"
            )
    return "; ".join(parts)


def _undecided(those: Sequence[StudentsMeasured], metric: str, control: str) -> list[str]:
    title = METRICS[metric].title
    endless = [one for one in those if one.versus[metric].difference is None]
    rest = [one for one in those if one.versus[metric].difference is not None]
    texts = []
    if rest:
        least = max(one.versus[metric].detectable or 0.0 for one in rest)
        power = f" (one of {amount(metric, least)} would be, four times in five)" if least else ""
        if METRICS[metric].unit == "%" and least >= 1:
            power = " (nor could it well be, with so few seeds or examples)"
        texts.append(f"no difference from {control} in {title} is shown for {listed(rest)}{power}.")
    if endless:
        texts.append(f"{title} is ∞ for {series([control, *map(spoken, endless)])}.")
    return texts


def _explained(one: Attribution, evidence: Evidence) -> str:
    """Say how much of a gain the other targets bring, and what soft targets add to that."""
    gained = f"{spoken(one.soft)} gains over {_named(evidence, one.soft.control)}"
    if one.why:
        return f"where the {METRICS[one.metric].title} comes from that {gained} is not told: {one.why}."
    parts = []
    for share in one.shares:
        gain = share.versus.gain
        brought = f"{number(one.metric, gain)} ({round(100 * gain / one.gain)} %)"
        if share.versus.verdict != "better":
            brought = f"none that is shown ({number(one.metric, gain)})"
        ends = _ends(share.beyond, METRICS[one.metric].better == "lower")
        left = f"{number(one.metric, share.beyond.gain)} {ends}"
        added = {"better": f"soft adds {left}", "worse": f"soft falls behind: {left}"}.get(
            share.beyond.verdict or "", f"that soft adds to it is not shown: {left}"
        )
        name, why = spoken(share.rival), EXPLANATIONS[share.rival.set.target]
        parts.append(f"{name} alone, {why}, brings {brought}; {added}")
    partial = len(one.seeds) < len(one.soft.set.seeds_asked)
    which = f" on the {seeds_counted(len(one.seeds))} that these sets have in common" if partial else ""
    return f"of the {amount(one.metric, one.gain)} that {gained}{which}, {'. '.join(_sentence_case(parts))}."


def _sentence_case(parts: Sequence[str]) -> list[str]:
    """Begin every part but the first with a capital letter."""
    return [part if k == 0 else part[0].upper() + part[1:] for k, part in enumerate(parts)]


def _unexplained(evidence: Evidence, found: Sequence[Attribution]) -> list[Text]:
    """Say what to run to know where a gain of accuracy comes from."""
    for one in found:
        there = {share.rival.set.target for share in one.shares}
        wanted = [
            target
            for target in EXPLANATIONS
            if target not in {*there, _find(evidence, one.soft.control).set.target}
            and evidence.data.n_classes >= TARGETS[target].least_classes
        ]
        if one.metric == "accuracy" and wanted:
            tells = one.soft.trained.experiment.run.command("distill", **_also(one.soft, wanted))
            return [("what else could bring it, ", tells, " tells.")]
    return []


def _also(measured: StudentsMeasured, targets: Sequence[str]) -> dict[str, Any]:
    """Return the options that teach the students of a set these targets too."""
    options = measured.set.making(measured.trained.experiment.recipe, measured.set.name)
    return {**options, "targets": tuple(targets)}


def _named(evidence: Evidence, folder: str) -> str:
    return spoken(_find(evidence, folder))


def _find(evidence: Evidence, folder: str) -> StudentsMeasured:
    return next(one for one in evidence.students if one.name == folder)


def _ends(versus: Versus, turned: bool) -> str:
    """Write the ends of an interval, where it has some, `turned` for the negative of the difference."""
    if versus.interval is None:
        return "with no interval"
    low, high = versus.interval
    if turned:
        low, high = -high, -low
    return f"[{number(versus.metric, low)}, {number(versus.metric, high)}]"
