"""What the evidence says in sentences: verdicts, where gains come from, and where one would go wrong."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from kdcli.metrics import METRICS
from kdcli.stages.evidence import COMPARED, Evidence
from kdcli.stages.student_sets import command, seeds_named
from kdcli.stages.verdicts import UNDECIDED, StudentsMeasured, Versus, by_group, contrast, decide
from kdcli.stats import LEVEL, compare, holm
from kdcli.targets import TARGETS

NEARLY_HARD = 0.99  # mean top probability from which soft labels are hardly soft
COARSE = 0.01  # difference of accuracy that a comparison should be able to show
HUGE = 1e6  # from which a number is written with its power of ten
ALIKE = 1e-3  # relative difference below which two scores are taken for the same

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


def warnings(evidence: Evidence) -> list[str]:
    """Say where a user of these results would go wrong."""
    return [
        *_diverged(evidence),
        *_one_seed(evidence),
        *_coarse(evidence),
        *_nearly_hard(evidence),
        *_same_temperatures(evidence),
        *_beyond_teacher(evidence),
        *_biased(evidence),
    ]


def _diverged(evidence: Evidence) -> list[str]:
    """Name the seeds that were left out, and what that means."""
    return [
        f"{one.group}: {spoken(one)}: {seeds_named(one.config['diverged'])} left out, whose loss stopped "
        "being a finite number. Sets are compared on the seeds that both have, where training went well."
        for one in evidence.students
        if one.config.get("diverged")
    ]


def _one_seed(evidence: Evidence) -> list[str]:
    single = [one for one in evidence.students if one.seeds == 1 and not one.config.get("diverged")]
    if not single:
        return []
    targets = list(dict.fromkeys(one.config["target"] for one in single if one.group == single[0].group))
    run = command(evidence.run, {**single[0].config, "seeds": range(10)}, targets)
    return [
        f"No verdict on {listed(single)}: one seed does not tell how far the luck of training goes. "
        f"`{run} --force` trains ten."
    ]


def _coarse(evidence: Evidence) -> list[str]:
    """Warn where a comparison could not have shown a difference of accuracy of a point."""
    found = {
        versus.detectable: versus.sampled.limited_by(LEVEL / evidence.tests)
        for one in evidence.students
        if (versus := one.versus.get("accuracy")) and versus.verdict == UNDECIDED
        if versus.detectable and versus.sampled
    }
    least = max(found, default=0.0)
    if not COARSE < least < 1:
        return []
    few = f"{len(evidence.data.splits['test'].y):,} test examples" if found[least] == "examples" else "seeds"
    return [
        f"A difference below {amount('accuracy', least)} may well go unseen: more {found[least]} would help "
        f"most, since these {few} are too few for it."
    ]


def _nearly_hard(evidence: Evidence) -> list[str]:
    """Warn of temperatures at which the teacher's soft labels are nearly hard."""
    temperatures = sorted({one.config["temperature"] for one in _softened(evidence)})
    if not temperatures or evidence.trained_teacher is None:
        return []
    logits = evidence.trained_teacher.load_logits(evidence.data)["train"]
    tops = {t: float((logits / t).softmax(1).amax(1).mean()) for t in temperatures}
    return [
        f"At T = {t:g} the teacher's soft labels are nearly hard: on the training data its top class has "
        f"probability {top:.4f} on average. A higher temperature brings out the others."
        for t, top in tops.items()
        if top >= NEARLY_HARD
    ]


def _same_temperatures(evidence: Evidence) -> list[str]:
    """Warn of temperatures that made no difference to any seed."""
    return [
        f"{one.group}: {spoken(one)} and {spoken(other)} score alike, seed by seed; the temperature does "
        "nothing here."
        for one, other in combinations(_softened(evidence), 2)
        if {**one.config, "temperature": None} == {**other.config, "temperature": None}
        and all(_alike(one.per_seed[metric], other.per_seed[metric]) for metric in ("accuracy", "nll"))
    ]


def _alike(ones: Sequence[float], others: Sequence[float]) -> bool:
    return all(
        a == b or (math.isfinite(a + b) and abs(a - b) <= ALIKE * max(abs(a), abs(b)))
        for a, b in zip(ones, others, strict=True)
    )


def _softened(evidence: Evidence) -> list[StudentsMeasured]:
    return [one for one in evidence.students if TARGETS[one.config["target"]].softened]


def _beyond_teacher(evidence: Evidence) -> list[str]:
    """Warn of students that are better than the teacher they learned from."""
    if evidence.teacher is None:
        return []
    theirs = evidence.teacher.values["accuracy"]
    found = [
        (one, compare(one.values["accuracy"], theirs.expand(one.seeds, -1), paired=True))
        for one in evidence.students
        if TARGETS[one.config["target"]].needs == "teacher" and one.seeds > 1
    ]
    adjusted = holm([finding.p_value or 1.0 for _, finding in found])
    texts = []
    for (one, finding), p in zip(found, adjusted, strict=True):
        if p <= LEVEL and finding.interval and (finding.difference or 0.0) > 0:
            low, high = (number("accuracy", end) for end in finding.interval)
            texts.append(
                f"{one.group}: {spoken(one)} is better than its teacher by "
                f"{amount('accuracy', finding.difference or 0.0)} [{low}, {high}]. A teacher that is trained "
                "longer, or less, or is smaller, may well be better too."
            )
    return texts


def _biased(evidence: Evidence) -> list[str]:
    """Warn of verdicts on the calibration error."""
    if "ece" not in evidence.compared:
        return []
    return [
        "On few examples the calibration error is biased upwards, the more the wider the confidences spread: "
        "verdicts on it are wrong more often than on other metrics. The Brier score and the NLL have no bias."
    ]


def spoken(one: StudentsMeasured) -> str:
    """Name a set within a sentence, such as "soft at T = 8"."""
    return one.title.replace(", T = ", " at T = ", 1).replace(", ", " with ")


def listed(sets: Sequence[StudentsMeasured]) -> str:
    """Name several sets within a sentence."""
    return joined(list(dict.fromkeys(map(spoken, sets))))


def joined(names: Sequence[str]) -> str:
    """Join names with commas and an "and"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


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


def number(metric: str, value: float) -> str:
    """Write a value or a difference of a metric without its unit."""
    kind = METRICS[metric]
    form = ".2f" if kind.unit == "%" else ".1f" if kind.total else ".4f"
    if abs(value) >= HUGE:
        form = ".1e"
    text = f"{value * (100 if kind.unit == '%' else 1):{form}}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def amount(metric: str, value: float) -> str:
    """Write a difference of a metric with its unit, such as "2.93 points of accuracy"."""
    kind = METRICS[metric]
    unit = {"%": "points of ", "nats": "nats of "}.get(kind.unit, "" if kind.total else "in ")
    return f"{number(metric, value)} {unit}{kind.title}"
