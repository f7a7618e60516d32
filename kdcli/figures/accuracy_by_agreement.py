"""Accuracy against agreement with the teacher: which students are accurate by imitation, which otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.errors import Text
from kdcli.figures.canvas import GREY, legend, line_look, wide_panel
from kdcli.figures.captions import MOST_PANELS, caption_of_room, fitting_students, note_of_room
from kdcli.figures.kind import FigureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

CAPTION = (
    "Bars: 95 % intervals over test examples, and over seeds where there are several. Dashed: the teacher.\n"
    "Students further right agree more often with their teacher; students further up are more accurate."
)
ROOM = MOST_PANELS
COLUMNS = 3  # of the legend


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    return "" if view.teacher and view.students else "it needs a teacher and students"


def note(view: View) -> Text:
    """Say which students are left out; empty if none is."""
    return note_of_room(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw a point for each student set."""
    from matplotlib.ticker import PercentFormatter

    students = fitting_students(view.students, ROOM)
    figure, ax = wide_panel(
        title=f"Test accuracy of students by agreement with their teacher, run {view.run}",
        caption=CAPTION + caption_of_room(view.students, ROOM),
        entries=len(students) + 1,
        columns=COLUMNS,
    )
    _points(ax, students)
    if view.teacher:
        ax.axhline(view.teacher.score("accuracy")[0], color=GREY, linestyle="--", label="teacher")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_xlabel("agreement with the teacher on test examples")
    ax.set_ylabel(f"test accuracy ({len(view.test.y):,} examples)")
    ax.margins(0.08)
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels, COLUMNS)
    return figure


def _points(ax: Axes, students: Sequence[Subject]) -> None:
    several_models = len({subject.model for subject in students}) > 1
    for k, subject in enumerate(students):
        x, left, right = subject.score("agreement")
        y, low, high = subject.score("accuracy")
        ax.errorbar(
            [x],
            [y],
            yerr=[[y - low], [high - y]],
            xerr=[[x - left], [right - x]],
            label=subject.name if several_models else subject.title,
            capsize=3,
            **line_look(k) | {"linestyle": "none"},
        )


FIGURE = FigureKind("test accuracy of students against agreement with their teacher", draw, obstacle, note)
