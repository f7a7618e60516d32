"""Where a reader of the evidence would go wrong."""

import math
from collections.abc import Sequence
from itertools import combinations

from kdcli.errors import Text, joined
from kdcli.evidence.gather import Evidence
from kdcli.evidence.verdicts import UNDECIDED, StudentsMeasured
from kdcli.evidence.wording import amount, listed, number, spoken
from kdcli.runs.edits import notes
from kdcli.runs.student_sets import LOST, seeds_named
from kdcli.stats import LEVEL, compare, holm

NEARLY_HARD = 0.99  # mean top probability from which soft labels are hardly soft
COARSE = 0.01  # difference of accuracy that a comparison should be able to show
ALIKE = 1e-3  # relative difference below which two scores are taken for the same


def warnings(evidence: Evidence) -> list[Text]:
    """Say where a user of these results would go wrong."""
    return [
        *_edited(evidence),
        *_incomplete(evidence),
        *_one_seed(evidence),
        *_coarse(evidence),
        *_nearly_hard(evidence),
        *_same_temperatures(evidence),
        *_beyond_teacher(evidence),
        *_biased(evidence),
    ]


def _edited(evidence: Evidence) -> list[Text]:
    """Say what was made with other settings than the recipe has."""
    names = ["data", "teacher", *(one.trained.artefact.name for one in evidence.students)]
    return [joined(note, ".") for note in notes(evidence.experiment, names)]


def _incomplete(evidence: Evidence) -> list[str]:
    """Name the seeds that were left out, and what that means."""
    texts = []
    for one in evidence.students:
        if gone := one.set.lost:
            told = "; ".join(f"{seeds_named(seeds)} left out: {LOST[why]}" for why, seeds in gone.items())
            seen = " Which went well was seen on the test split." if one.set.overflowed else ""
            texts.append(
                f"{one.group}: {spoken(one)}: {told}. Sets are compared on the seeds that both have, where "
                f"training went well.{seen}"
            )
    return texts


def _one_seed(evidence: Evidence) -> list[Text]:
    single = [one for one in evidence.students if one.seeds == 1 and not one.set.lost]
    if not single:
        return []
    targets = tuple(dict.fromkeys(one.set.target for one in single if one.group == single[0].group))
    experiment = evidence.experiment
    options = single[0].set.with_seeds(10).making(experiment.recipe, single[0].set.name)
    trains = experiment.run.command("distill", **{**options, "targets": targets})
    told = f"No verdict on {listed(single)}: one seed does not tell how far the luck of training goes. "
    return [(told, trains, " trains ten.")]


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
    temperatures = sorted({one.set.temperature for one in _softened(evidence)})
    if not temperatures or evidence.trained_teacher is None:
        return []
    logits = evidence.trained_teacher.logits["train"]
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
        if one.set.at_temperature(1.0) == other.set.at_temperature(1.0)
        and all(_alike(one.per_seed[metric], other.per_seed[metric]) for metric in ("accuracy", "nll"))
    ]


def _alike(ones: Sequence[float], others: Sequence[float]) -> bool:
    return all(
        a == b or (math.isfinite(a + b) and abs(a - b) <= ALIKE * max(abs(a), abs(b)))
        for a, b in zip(ones, others, strict=True)
    )


def _softened(evidence: Evidence) -> list[StudentsMeasured]:
    return [one for one in evidence.students if one.set.taught.softened]


def _beyond_teacher(evidence: Evidence) -> list[str]:
    """Warn of students that are better than the teacher they learned from."""
    if evidence.teacher is None:
        return []
    theirs = evidence.teacher.values["accuracy"]
    found = [
        (one, compare(one.values["accuracy"], theirs.expand(one.seeds, -1), paired=True))
        for one in evidence.students
        if one.set.taught.needs == "teacher" and one.seeds > 1
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
