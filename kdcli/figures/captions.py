"""Which student sets a figure has room for, and what captions and notes say of the others."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from kdcli.errors import Command, Text
from kdcli.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdcli.figures.view import Subject

MOST_PANELS = 12  # that a figure with a panel for each student set may have


def fitting_students(students: Sequence[Subject], room: int) -> list[Subject]:
    """Return the students that a figure has room for: all, or as many as fit of the first one's model."""
    if len(students) <= room:
        return list(students)
    return [subject for subject in students if subject.model == students[0].model][:room]


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
    return "\n" + fill(f"Seeds whose training failed are left out: {'; '.join(partial)}.", 100)


def counted_sets(count: int) -> str:
    """Count student sets within a sentence, such as "2 student sets"."""
    return counted(count, "student set")
