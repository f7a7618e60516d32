"""Texts that titles, captions and notes of figures share: numbers, sources, what is shown or left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.errors import Command, Text
from kdcli.words import counted, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdcli.figures.view import Subject, View

MOST_PANELS = 12  # that a figure with a panel for each student set may have


def spoken(title: str) -> str:
    """Name a set within a list of them, such as "soft at T = 8"."""
    return title.replace(", T = ", " at T = ", 1)


def size_of_test(view: View) -> str:
    """Count the test examples: "359 examples in each draw"."""
    each = " in each draw" if view.draws > 1 and view.drawing != "test kept" else ""
    return f"{len(view.test.y):,} examples{each}"


def percent(share: float) -> str:
    """Write a share: "93.31 %"."""
    return "under 0.01 %" if 0 < share < 5e-5 else f"{100 * share:.2f} %"


def replicates(view: View) -> str:
    """Say what the students of a set are of, within a sentence: "draws and seeds"."""
    return "draws and seeds" if view.draws > 1 else "seeds"


def interval_sources(view: View) -> str:
    """Say within a sentence what intervals are over."""
    if view.draws == 1:
        return (
            "test examples, and over seeds where there are several, for this teacher and these training data"
        )
    models = [*(["teacher"] if view.teacher else []), *(["students"] if view.students else [])]
    draws = f"{view.draws} draws of the data, each with its own {listed(models)}"
    if view.teacher and not view.teacher.askable:
        draws = f"{view.draws} draws of the data, each with its own students, and the same teacher"
    return {
        "split": f"{draws}; the intervals are corrected for the examples that draws share",
        "test kept": f"{draws}, and over the test examples, which are the same in all draws",
    }.get(view.drawing, draws)


def caption_of_shown(view: View) -> str:
    """Say which teacher and students stand for all, where single ones are shown."""
    if view.draws == 1:
        return f"Students: {view.shown_seed} of each set."
    teacher = ["its teacher"] if view.teacher else []
    students = [f"{view.shown_seed} of each set"] if view.students else []
    return f"Shown is draw 0 of {view.draws}: {listed([*teacher, *students])}."


def fitting_students(students: Sequence[Subject], room: int) -> list[Subject]:
    """Return the students that a figure has room for: all, or as many as fit of the first one's model."""
    if len(students) <= room:
        return list(students)
    return [subject for subject in students if subject.model == students[0].model][:room]


def fitting_subjects(view: View, room: int) -> list[Subject]:
    """Return the teacher, if there is one, and the students that a figure has room for besides."""
    return replace(view, students=fitting_students(view.students, room)).subjects


def caption_of_room(students: Sequence[Subject], room: int) -> str:
    """Return a line for the caption of a figure that has no room for all students; empty if it has."""
    shown = len(fitting_students(students, room))
    return f"\nThe figure shows {shown} of {len(students)} student sets." if shown < len(students) else ""


def note_of_room(students: Sequence[Subject], room: int) -> Text:
    """Say which students a figure has no room for; empty if it has room for all."""
    shown = fitting_students(students, room)
    if len(shown) == len(students):
        return ""
    counts = f"shows {len(shown)} of {len(students)} student sets"
    if len({subject.model for subject in students}) == 1:
        return f"{counts}: the first that fit"
    others = Command("plot", options={"model": "MODEL"})
    return (f"{counts}: those of {shown[0].model}; ", others, " draws those of another model")


def caption_of_failures(students: Sequence[Subject]) -> str:
    """Return a line for the caption that names the sets with failed seeds; empty if there are none."""
    partial = [subject.name for subject in students if subject.partial]
    if not partial:
        return ""
    return f"\nSeeds whose training failed are left out: {'; '.join(partial)}."


def counted_sets(count: int) -> str:
    """Count student sets within a sentence, such as "2 student sets"."""
    return counted(count, "student set")
