"""What the evidence says in sentences: verdicts, and where gains come from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kdcli.metrics import METRICS
from kdcli.stages.evidence import COMPARED, Evidence
from kdcli.stages.student_sets import command
from kdcli.stages.verdicts import UNDECIDED, StudentsMeasured, Versus, by_group, contrast, decide
from kdcli.stages.wording import amount, joined, listed, number, spoken
from kdcli.targets import TARGETS

EXPLANATIONS = {
    "smooth": "which is regularisation",
    "hard": "which is label cleaning",
    "shuffled": "which is the teacher's confidence without its dark knowledge",
}


@dataclass(frozen=True)
class Share:
    """How another target compares with the control of a gain, and what the gaining set has beyond it."""

    rival: StudentsMeasured
    versus: Versus
    beyond: Versus


@dataclass(frozen=True)
class Attribution:
    """Where the gain of soft targets over their control comes from."""

    soft: StudentsMeasured
    metric: str
    gain: float
    shares: Sequence[Share]


def attributions(evidence: Evidence) -> list[Attribution]:
    """Explain the largest shown gain of soft targets in each group by the gains of other targets."""
    softs: dict[tuple[str, str, str], list[StudentsMeasured]] = {}
    for one in evidence.students:
        for metric in COMPARED:
            if one.config["target"] == "soft" and metric in one.versus and one.versus[metric].interval:
                softs.setdefault((one.group, one.control, metric), []).append(one)
    rivals = {
        (soft.name, metric, rival.name): (soft, rival)
        for (_, _, metric), sets in softs.items()
        for soft in sets
        for rival in evidence.students
        if _explains(rival, soft) and metric in rival.versus and rival.versus[metric].interval
    }
    # All are corrected for, since the largest gain is chosen after having seen them.
    beyond = decide({key: contrast(*pair, key[1]) for key, pair in rivals.items()})
    found = []
    for (_, _, metric), sets in softs.items():
        soft = max(sets, key=lambda one, metric=metric: one.versus[metric].gain)  # type: ignore[misc]
        if soft.versus[metric].verdict == "better":
            shares = [
                Share(rival, rival.versus[metric], beyond[key])
                for key, (_, rival) in rivals.items()
                if key[:2] == (soft.name, metric)
            ]
            found.append(Attribution(soft, metric, soft.versus[metric].gain, shares))
    return found


def _explains(rival: StudentsMeasured, soft: StudentsMeasured) -> bool:
    """Whether a set's gain may explain that of another: the same control, a target that does less."""
    config = rival.config
    return (
        config["target"] in EXPLANATIONS
        and rival.group == soft.group
        and rival.control == soft.control
        and config["label_weight"] == soft.config["label_weight"]
        and (config["target"] != "shuffled" or config["temperature"] == soft.config["temperature"])
    )


def sentences(evidence: Evidence, found: Sequence[Attribution]) -> dict[str, list[str]]:
    """Say of each group what beats its control, what falls behind, what is open, and why gains are there."""
    texts = {}
    for group, sets in by_group(evidence.students).items():
        said = [text for metric in evidence.compared for text in _verdicts(evidence, sets, metric)]
        said += [_explained(one, evidence) for one in found if one.soft.group == group and one.shares]
        said += _unexplained(evidence, [one for one in found if one.soft.group == group])
        if said:
            texts[group] = [text[0].upper() + text[1:] for text in said]
    return texts


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
        texts.append(f"{title} is ∞ for {joined([control, *map(spoken, endless)])}.")
    return texts


def _explained(one: Attribution, evidence: Evidence) -> str:
    """Say how much of a gain the other targets bring, and what soft targets add to that."""
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
        name, why = spoken(share.rival), EXPLANATIONS[share.rival.config["target"]]
        parts.append(f"{name} alone, {why}, brings {brought}; {added}")
    gain_of = f"of the {amount(one.metric, one.gain)} that {spoken(one.soft)} gains over "
    return f"{gain_of}{_named(evidence, one.soft.control)}, {'. '.join(_sentence_case(parts))}."


def _sentence_case(parts: Sequence[str]) -> list[str]:
    """Begin every part but the first with a capital letter."""
    return [part if k == 0 else part[0].upper() + part[1:] for k, part in enumerate(parts)]


def _unexplained(evidence: Evidence, found: Sequence[Attribution]) -> list[str]:
    """Say what to run to know where a gain of accuracy comes from."""
    for one in found:
        there = {share.rival.config["target"] for share in one.shares}
        wanted = [
            target
            for target in EXPLANATIONS
            if target not in {*there, _find(evidence, one.soft.control).config["target"]}
            and evidence.data.n_classes >= TARGETS[target].least_classes
        ]
        if one.metric == "accuracy" and wanted:
            run = command(evidence.run, one.soft.config, wanted)
            return [f"what else could bring it, `{run}` tells."]
    return []


def _named(evidence: Evidence, folder: str) -> str:
    return spoken(_find(evidence, folder))


def _find(evidence: Evidence, folder: str) -> StudentsMeasured:
    return next(one for one in evidence.students if one.name == folder)


def _ends(versus: Versus, turned: bool) -> str:
    """Write the ends of an interval, `turned` for the negative of the difference."""
    low, high = versus.interval or (0.0, 0.0)
    if turned:
        low, high = -high, -low
    return f"[{number(versus.metric, low)}, {number(versus.metric, high)}]"
