"""The evidence in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from kdcli.errors import Text
from kdcli.metrics import METRICS
from kdcli.report.words import amount, number, visible
from kdcli.words import capitalised, counted, either, listed

if TYPE_CHECKING:
    from kdcli.evidence.findings import Attribution, Decided, GroupFindings, Share
    from kdcli.evidence.gather import Evidence
    from kdcli.evidence.verdicts import StudentsMeasured, Versus

MECHANISMS = {  # how another target may bring the gain of soft targets
    "smooth": "regularisation",
    "hard": "label cleaning",
    "spread": "the teacher's confidence without its dark knowledge",
    "shuffled": "the teacher's confidence, with noise in the other classes",
    "self": "a teacher, however small",
    "random": "soft labels as such, whatever their content",
}
VERBS = {"better": "beats", "worse": "is worse than"}


def sentences(evidence: Evidence, groups: Iterable[GroupFindings]) -> dict[str, list[Text]]:
    """State by group what beats its control, what is worse, what is inconclusive, and why gains occur."""
    texts: dict[str, list[Text]] = {}
    for group in groups:
        said: list[Text] = [text for decided in group.decided for text in decided_text(decided, evidence)]
        said += [
            attribution_text(attribution)
            for attribution in group.attributions
            if attribution.shares or attribution.obstacle
        ]
        if group.tells:
            said.append(("To test other explanations of the gain, run ", group.tells, "."))
        if said:
            texts[group.group] = said
    return texts


def spoken(students: StudentsMeasured) -> str:
    """Name a set within a sentence, such as "soft at T = 8"."""
    return students.title.replace(", T = ", " at T = ", 1).replace(", ", " with ")


def spoken_list(sets: Sequence[StudentsMeasured]) -> str:
    """Name several sets within a sentence."""
    return listed(list(dict.fromkeys(map(spoken, sets))))


def decided_text(decided: Decided, evidence: Evidence) -> list[str]:
    """Say which sets have a verdict on a metric, and by how much."""
    if decided.verdict not in VERBS:
        return _undecided(decided)
    verb = f"{VERBS[decided.verdict]} {spoken(decided.control)}"
    seeds = either((versus.seeds for versus in decided.comparisons), "seed")
    draws = f"{evidence.draws} draws × " if evidence.draws > 1 else ""
    tests = counted(evidence.n_test, "test example")
    return [f"{capitalised(_differences(decided, verb))}; {draws}{seeds}, {tests}."]


def _differences(decided: Decided, verb: str) -> str:
    """Write "soft at T = 8 beats labels by 2.9 points of accuracy [2.6, 3.2]; soft at T = 4 by …"."""
    parts: list[str] = []
    for students, versus in zip(decided.students, decided.comparisons, strict=True):
        mark = "" if versus.paired else " (unpaired)"
        metric = versus.metric
        if versus.interval is None:
            whose = "the control" if versus.gain > 0 else "the students"
            title = METRICS[metric].title
            parts.append(f"{spoken(students)} {verb} in {title}{mark}: it is ∞ only for {whose}")
            continue
        size = abs(versus.gain)
        by = f"by {number(size, METRICS[metric].unit)}" if parts else f"{verb} by {amount(metric, size)}"
        told = f"{spoken(students)} {by} {ends(versus, gain=versus.gain > 0)}{mark}"
        parts.append(f"{told}{in_draws(versus)}{_expected(versus)}")
    return "; ".join(parts)


def in_draws(versus: Versus) -> str:
    """Say in how many draws the difference has the same sign; empty with one draw."""
    if versus.draws < 2:
        return ""
    if versus.alike == versus.draws:
        return ", in every draw"
    return f", in {versus.alike} of {versus.draws} draws"


def _expected(versus: Versus) -> str:
    """Say which difference to expect in another draw; empty if it is not known."""
    if versus.another is None:
        return ""
    unit, sign = METRICS[versus.metric].unit, 1 if (versus.difference or 0) > 0 else -1
    low, high = sorted(sign * end for end in versus.another)
    return f" (another draw: {number(low, unit)} to {number(high, unit)})"


def _undecided(decided: Decided) -> list[str]:
    metric, control = METRICS[decided.metric], spoken(decided.control)
    endless = [s for s in decided.students if s.versus[decided.metric].difference is None]
    finite = [s for s in decided.students if s.versus[decided.metric].difference is not None]
    texts = []
    if finite:
        least = decided.detectable
        power = (
            f" (80 % power to detect {amount(decided.metric, least)})"
            if visible(decided.metric, least)
            else ""
        )
        if not attainable(decided.metric, least):
            few = "draws" if decided.comparisons[0].draws > 1 else "seeds or examples"
            power = f" (too few {few} to detect any difference)"
        difference = f"The difference in {metric.title} from {control} is inconclusive for"
        taught = [students for students in finite if students.set.taught.teaches]
        if taught:
            texts.append(f"{difference} {spoken_list(taught)}{power}.")
        if untaught := [students for students in finite if students not in taught]:
            texts.append(f"{difference} {spoken_list(untaught)}, whose students differ widely.")
    if endless:
        texts.append(f"{capitalised(metric.title)} is ∞ for {listed([control, *map(spoken, endless)])}.")
    return texts


def attainable(metric: str, difference: float) -> bool:
    """Whether two values of a metric can differ by this much: shares cannot by 100 points or more."""
    return METRICS[metric].total or difference < METRICS[metric].most


def obstacle_text(attribution: Attribution) -> str:
    """Say why a gain cannot be attributed; empty if it can."""
    common = counted(attribution.common, "seed")
    return {
        "": "",
        "seeds": f"the sets to explain it with have {common if attribution.common else 'no seed'} in common",
        "no gain": f"there is no gain on the {common} that the sets have in common",
    }[attribution.obstacle]


def attribution_text(attribution: Attribution) -> str:
    """Say how much of a gain the other targets bring, and how much soft targets add to it."""
    chosen = f" (the best of {attribution.among} such sets on validation)" if attribution.among > 1 else ""
    gained = f"{spoken(attribution.soft)}{chosen} gains over {spoken(attribution.control)}"
    metric = attribution.metric
    if attribution.obstacle:
        title = METRICS[metric].title
        return f"The source of the {title} that {gained} is unknown: {obstacle_text(attribution)}."
    common = ""
    if len(attribution.seeds) < len(attribution.soft.set.seeds_asked):
        common = f" on the {counted(len(attribution.seeds), 'seed')} that these sets have in common"
    first, *others = (_share_text(share, attribution) for share in attribution.shares)
    told = ". ".join([first, *map(capitalised, others)])
    return f"Of the {amount(metric, attribution.gain)} that {gained}{common}, {told}."


def _share_text(share: Share, attribution: Attribution) -> str:
    unit = METRICS[attribution.metric].unit
    gain = share.versus.gain
    name = f"{spoken(share.rival)} alone ({MECHANISMS[share.rival.set.target]})"
    if share.versus.verdict == "better":
        part = round(100 * gain / attribution.gain)
        brought = f"{name} brings {number(gain, unit)} {ends(share.versus)} ({part} %)"
    else:
        what = "a loss" if share.versus.verdict == "worse" else "no significant gain"
        brought = f"{name} brings {what}, {number(gain, unit)} {ends(share.versus)}"
    beyond = f"{number(share.beyond.gain, unit)} {ends(share.beyond)}"
    added = {
        "better": f"soft adds {beyond}",
        "worse": f"soft is worse: {beyond}",
    }.get(share.beyond.verdict or "", f"what soft adds is inconclusive: {beyond}")
    return f"{brought}; {added}"


def ends(versus: Versus, *, gain: bool = True) -> str:
    """Write the ends of the interval of a gain, or of a loss, if it has an interval."""
    if versus.gain_interval is None:
        return "with no interval"
    low, high = versus.gain_interval
    if not gain:
        low, high = -high, -low
    unit = METRICS[versus.metric].unit
    return f"[{number(low, unit)}, {number(high, unit)}]"


def coverage(evidence: Evidence, groups: Iterable[GroupFindings] = ()) -> str:
    """Say what the intervals and verdicts cover, and what they do not."""
    words = [_sources(evidence), *_varied(evidence)]
    if evidence.draws > 1 and evidence.tests:
        most = evidence.draws - evidence.draws // 3
        words.append(f'"+ in {most}/{evidence.draws}": the difference is above 0 in {most} of these draws.')
    if any(math.isinf(s.estimates["nll"].mean) for s in evidence.students):
        words.append(
            "NLL, the mean −log of the true class's probability, is ∞ where a model gave the true class "
            "probability 0, as a leaf of a single class does."
        )
    if evidence.tests:
        words.append(
            f"Verdicts hold at 95 % for the {counted(evidence.tests, 'comparison')} of the table together "
            "(Holm's correction), so an interval that excludes 0 is not enough by itself; inconclusive does "
            "not mean equal."
        )
    if evidence.tests > 1:
        words.append("The largest of several differences is on average overestimated.")
    if any(attribution.shares for group in groups for attribution in group.attributions):
        words.append("What soft targets add to other targets is corrected separately, in the same way.")
    if any(students.set.transfer.asks for students in evidence.students):
        words.append("With targets made of labels, controls too, new examples have the teacher's class.")
    if any(not versus.paired for students in evidence.students for versus in students.versus.values()):
        words.append("Unpaired sets differ from their control in more than the target.")
    if bayes := evidence.description.bayes:
        words.append(f"The Bayes optimum over the whole distribution: {scores_text(bayes._asdict())}.")
    return " ".join(words)


def _varied(evidence: Evidence) -> Iterator[str]:
    """Say what the seeds of the students vary, where sets have several."""
    families: dict[str, dict[str, None]] = {}
    for students in evidence.students:
        if students.seeds > 1:
            model = students.set.model
            families.setdefault(model.SEEDS, {})[str(model).partition(":")[0]] = None
    for varied, names in families.items():
        yield f"The seeds of {listed(list(names))} vary {varied}."


def _sources(evidence: Evidence) -> str:
    """Say what a draw is, and what the intervals are over."""
    interval, own = "± is half of a 95 % interval over", "with a teacher and students of its own"
    if evidence.one_teacher:
        own = "with students of its own, and the same teacher"
    if evidence.draws > 1:
        draws = f"the {evidence.draws} draws"
        return {
            "sampled": f"Each draw is a new sample of the data, {own}; {interval} {draws}.",
            "split": f"Each draw is another split of the same examples, {own}; {interval} {draws}, corrected "
            "for the examples that these share (Nadeau and Bengio).",
            "test kept": f"Each draw is another split of the same training examples, {own}; {interval} "
            f"{draws} and the test examples, which all draws share. It holds for these training examples: "
            f"two draws have about {_shared(evidence)} % of them in common.",
        }[evidence.description.drawing]
    one_seed = all(students.seeds == 1 for students in evidence.students)
    sources = "test examples, for this one seed" if one_seed else "training seeds and test examples"
    return f"{interval} {sources}; it does not cover other draws of the training data or other teachers."


def _shared(evidence: Evidence) -> int:
    """Return the share of a draw's training examples that another draw has too, in percent."""
    sizes = evidence.description.sizes
    return round(100 * sizes["train"] / (sizes["train"] + sizes["val"]))


def scores_text(scores: Mapping[str, float]) -> str:
    """Write accuracy and NLL: "accuracy 96.03 %, NLL 0.1099 nats"."""
    return f"accuracy {number(scores['accuracy'], '%')} %, NLL {number(scores['nll'], 'nats')} nats"
