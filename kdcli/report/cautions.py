"""Cautions about the evidence, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from kdcli.commands import spell
from kdcli.errors import Command, Text, joined
from kdcli.evidence.cautions import (
    BeyondTeacher,
    Calibration,
    Caution,
    Coarse,
    Edited,
    NearlyHard,
    OneDraw,
    SameScores,
    SeedsLeftOut,
    SingleSeed,
    WeakTeacher,
)
from kdcli.evidence.gather import Evidence
from kdcli.evidence.remedies import Remembers
from kdcli.evidence.trainings import NearChance, Overfitted, SameLabels, StillFalling
from kdcli.evidence.verdicts import UNDECIDED
from kdcli.report.sentences import VERBS, spoken, spoken_list
from kdcli.report.words import amount, number
from kdcli.runs.student_sets import LOST
from kdcli.words import listed, numbered

MOST_NAMED = 3
CALIBRATED = {
    "better": "beats its control",
    "worse": "is worse than its control",
    "no difference shown": "shows no difference from its control",
    "": "has no verdict",
}


def caution_text(caution: Caution) -> Text:
    """Say a caution in one or two sentences."""
    match caution:
        case Edited(note):
            return joined(note, ".")
        case SeedsLeftOut():
            return _seeds_left_out(caution)
        case SingleSeed(students, more_seeds):
            told = f"No verdict for {spoken_list(students)}: one seed cannot show how much training varies; "
            return (told, more_seeds, " trains ten.")
        case OneDraw(more_draws):
            return _one_draw(more_draws)
        case Coarse():
            return _coarse(caution)
        case NearlyHard() | Remembers() | BeyondTeacher() | WeakTeacher():
            return _of_teacher(caution)
        case StillFalling() | Overfitted() | NearChance() | SameLabels():
            return _of_training(caution)
        case SameScores(students, other):
            return (
                f"{students.group}: {spoken(students)} and {spoken(other)} have the same scores on every "
                "seed; the temperature makes no difference here."
            )
        case Calibration():
            return _of_calibration(caution)
    assert_never(caution)


def _one_draw(more_draws: Command | None) -> Text:
    if more_draws is None:
        return "These verdicts hold for the training rows that were given; they may differ with others."
    told = "These verdicts hold for one draw of the data; another, with its own teacher, may differ. "
    return (told, more_draws, " repeats the recipe on ten draws.")


def _of_calibration(caution: Calibration) -> str:
    raw, after = (CALIBRATED[verdict or ""] for verdict in (caution.verdict, caution.scaled))
    told = f"in NLL, {spoken(caution.students)} {raw}; after temperature scaling, it {after}"
    explains = caution.verdict in VERBS and caution.scaled == UNDECIDED
    return f"{caution.students.group}: {told}{', so calibration may explain it' if explains else ''}."


def _of_training(caution: StillFalling | Overfitted | NearChance | SameLabels) -> Text:
    match caution:
        case StillFalling(students, longer):
            named = listed([f"{spoken(each)} ({each.group})" for each in students[:MOST_NAMED]])
            more = f" and {len(students) - MOST_NAMED} other sets" if len(students) > MOST_NAMED else ""
            told = f"The validation loss of {named}{more} still falls at the last epoch, so a comparison "
            return (f"{told}may be one of training speed. ", longer, " trains twice as long.")
        case Overfitted(control, risen, best):
            return (
                f"{control.group}: the validation loss of {spoken(control)}, the control, ends "
                f"{100 * risen:.0f} % above its lowest. A control that has overfitted is easy to beat: ",
                best,
                " keeps the best epoch.",
            )
        case NearChance(models):
            named = listed([f"{each.title} ({each.group})" for each in models[:MOST_NAMED]])
            more = f" and {len(models) - MOST_NAMED} others" if len(models) > MOST_NAMED else ""
            return f"Hardly better than chance: {named}{more}. Comparing them shows nothing."
        case SameLabels(n_train):
            return (
                f"The teacher classifies all {n_train:,} training examples correctly, so hard labels equal "
                "the true labels here, and their students are the same."
            )
    assert_never(caution)


def _of_teacher(caution: NearlyHard | Remembers | BeyondTeacher | WeakTeacher) -> Text:
    match caution:
        case NearlyHard(temperature, top):
            return (
                f"At T = {temperature:g} the teacher's soft labels are nearly hard: its top class has "
                f"probability {top:.4f} on average on the training data. A higher temperature shows more of "
                "the other classes."
            )
        case Remembers(memory, in_folds):
            return (
                f"The teacher has memorised its training rows: the entropy of its labels is "
                f"{memory.train:.3f} nats on them, but {memory.val:.3f} nats on validation rows. ",
                *_unseen(in_folds),
            )
        case BeyondTeacher(students, difference, interval):
            low, high = (number(end, "%") for end in interval)
            return (
                f"{students.group}: {spoken(students)} is better than its teacher by "
                f"{amount('accuracy', difference)} [{low}, {high}]. A teacher trained for longer or shorter, "
                "or a smaller one, may be better too."
            )
        case WeakTeacher(control, difference, interval):
            low, high = (number(end, "%") for end in interval)
            return (
                f"{control.group}: {spoken(control)}, the control, is better than the teacher by "
                f"{amount('accuracy', difference)} [{low}, {high}]: such a teacher has little to teach. "
                "Train a better teacher first."
            )
    assert_never(caution)


def _unseen(in_folds: Command | None) -> tuple[str | Command, ...]:
    if in_folds is None:
        return ("Students learn more if teachers that have not seen these rows label them.",)
    return (in_folds, " labels each row with a teacher that has not seen it.")


def _seeds_left_out(caution: SeedsLeftOut) -> str:
    students = caution.students
    reasons = "; ".join(
        f"{numbered('seed', seeds)} left out: {LOST[why]}" for why, seeds in caution.seeds.items()
    )
    test = " The test split decided which seeds were left out." if students.set.overflowed else ""
    return (
        f"{students.group}: {spoken(students)}: {reasons}. Sets are compared on the seeds that were trained "
        f"successfully in both.{test}"
    )


def _coarse(caution: Coarse) -> str:
    remedy = f"more {caution.limited_by}"
    if caution.limited_by == "examples":
        remedy = f"more test examples than {caution.n_test:,}"
    elif caution.limited_by == "draws" and caution.overlapping:
        remedy = "more examples to split"
    size = amount("accuracy", caution.detectable)
    return f"The least certain comparison has 80 % power to detect {size}; {remedy} would help most."


def not_compared(evidence: Evidence) -> Iterator[Text]:
    """Say of each group which sets are not compared and why, and which command makes a control for them."""
    alike: dict[tuple[str, str, str], tuple[Command | None, list[str]]] = {}
    for students in evidence.students:
        if students.why:
            key = (students.group, students.why, spell(students.remedy) if students.remedy else "")
            alike.setdefault(key, (students.remedy, []))[1].append(students.title)
    for (group, why, _), (remedy, titles) in alike.items():
        makes: Text = ("; ", remedy, " makes a control for it") if remedy else ""
        yield joined(f"{group}: {'; '.join(titles)}: {why}", makes, ".")
