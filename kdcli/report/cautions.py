"""Where a reader of the evidence would go wrong, in words."""

from __future__ import annotations

from typing import assert_never

from kdcli.errors import Command, Text, joined
from kdcli.evidence.cautions import (
    BeyondTeacher,
    BiasedCalibration,
    Caution,
    Coarse,
    Edited,
    NearlyHard,
    OneDraw,
    SameScores,
    SeedsLeftOut,
    SingleSeed,
)
from kdcli.evidence.remedies import Remembers
from kdcli.report.sentences import spoken, spoken_list
from kdcli.report.words import amount, number
from kdcli.runs.student_sets import LOST
from kdcli.words import numbered


def caution_text(caution: Caution) -> Text:
    """Say a caution in one or two sentences."""
    match caution:
        case Edited(note):
            return joined(note, ".")
        case SeedsLeftOut():
            return _seeds_left_out(caution)
        case SingleSeed(students, more_seeds):
            told = f"No verdict for {spoken_list(students)}: one seed does not show how much trainings vary; "
            return (told, more_seeds, " trains ten.")
        case OneDraw(more_draws):
            told = "These verdicts hold for one draw of the data; another, with its own teacher, may differ. "
            return (told, more_draws, " tells it for ten draws of what the recipe says.")
        case Coarse():
            return _coarse(caution)
        case NearlyHard() | Remembers() | BeyondTeacher():
            return _of_teacher(caution)
        case SameScores(students, other):
            return (
                f"{students.group}: {spoken(students)} and {spoken(other)} have the same scores on every "
                "seed; the temperature makes no difference here."
            )
        case BiasedCalibration():
            return (
                "On few examples the calibration error is biased upwards, more so where confidences vary "
                "widely: verdicts on it are wrong more often than on other metrics. The Brier score and the "
                "NLL have no such bias."
            )
    assert_never(caution)


def _of_teacher(caution: NearlyHard | Remembers | BeyondTeacher) -> Text:
    match caution:
        case NearlyHard(temperature, top):
            return (
                f"At T = {temperature:g} the teacher's soft labels are nearly hard: its top class has "
                f"probability {top:.4f} on average on the training data. A higher temperature shows more of "
                "the others."
            )
        case Remembers(memory, in_folds):
            return (
                f"The teacher remembers its training rows: the entropy of its labels is {memory.train:.3f} "
                f"nats on them, and {memory.val:.3f} on validation rows. ",
                *_unseen(in_folds),
            )
        case BeyondTeacher(students, difference, interval):
            low, high = (number(end, "%") for end in interval)
            return (
                f"{students.group}: {spoken(students)} is better than its teacher by "
                f"{amount('accuracy', difference)} [{low}, {high}]. A teacher trained for longer or shorter, "
                "or a smaller one, may be better too."
            )
    assert_never(caution)


def _unseen(in_folds: Command | None) -> tuple[str | Command, ...]:
    if in_folds is None:
        return ("Students learn more from answers to them by teachers that have not seen them.",)
    return (in_folds, " labels each row by a teacher that has not seen it.")


def _seeds_left_out(caution: SeedsLeftOut) -> str:
    students = caution.students
    reasons = "; ".join(
        f"{numbered('seed', seeds)} left out: {LOST[why]}" for why, seeds in caution.seeds.items()
    )
    test = " The test split decided which were left out." if students.set.overflowed else ""
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
    return (
        f"The least certain comparison shows differences from {size} on four times in five; {remedy} would "
        "help most."
    )
