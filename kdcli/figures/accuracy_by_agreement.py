"""Accuracy against agreement with the teacher: whether students are accurate by imitation."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from kdcli.errors import Text
from kdcli.figures.apart import RINGS, rings
from kdcli.figures.canvas import wide_panel
from kdcli.figures.captions import (
    MOST_PANELS,
    caption_of_room,
    fitting_students,
    interval_sources,
    note_of_room,
    percent,
    size_of_test,
)
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import GREY, line_look
from kdcli.figures.ticks import percent_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

CAPTION = "Dashed: the teacher. Where points lie on each other, one marker is around the other."
PAIRED = 4  # sets from which pairs of them are counted
ROOM = MOST_PANELS
COLUMNS = 3  # of the legend


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    return "" if view.teacher and view.students else "it needs a teacher and students"


def note(view: View) -> Text:
    """Return a note on the students that are left out; empty if there are none."""
    return note_of_room(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw a point for each student set."""
    students = fitting_students(view.students, ROOM)
    bars = f"Bars: 95 % intervals over {interval_sources(view)}."
    figure, ax = wide_panel(
        title=f"{finding(view)}, run {view.run}",
        caption=f"{bars}\n{CAPTION}{caption_of_room(view.students, ROOM)}",
    )
    _points(ax, students)
    if view.teacher:
        ax.axhline(view.teacher.score("accuracy")[0], color=GREY, linestyle="--", label="teacher")
    percent_ticks(ax.xaxis, ax.yaxis)
    ax.set_xlabel("agreement with the teacher on test examples")
    ax.set_ylabel(f"test accuracy ({size_of_test(view)})")
    ax.margins(0.08)
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels, COLUMNS)
    return figure


def finding(view: View) -> str:
    """Say in how many pairs of sets the one that agrees more is more accurate, or less: Kendall's tau."""
    students = fitting_students(view.students, ROOM)
    if len(students) < PAIRED:
        top = max(students, key=lambda subject: subject.score("accuracy")[0])
        accuracy, agreement = (percent(top.score(metric)[0]) for metric in ("accuracy", "agreement"))
        return f"Most accurate: {top.name}, {accuracy}, with {agreement} agreement with the teacher"
    points = [(s.score("agreement")[0], s.score("accuracy")[0]) for s in students]
    pairs = list(combinations(points, 2))
    more = sum((x - u) * (y - v) > 0 for (x, y), (u, v) in pairs)
    less = sum((x - u) * (y - v) < 0 for (x, y), (u, v) in pairs)
    sets = f"of {len(pairs)} pairs of sets"
    if more == less:
        return (
            f"Students that agree more with their teacher are more accurate in {more} {sets}, less in {less}"
        )
    order, count = ("more", more) if more > less else ("less", less)
    return f"Students that agree more with their teacher are {order} accurate in {count} {sets}"


def _points(ax: Axes, students: Sequence[Subject]) -> None:
    several_models = len({subject.model for subject in students}) > 1
    scores = [(subject.score("agreement"), subject.score("accuracy")) for subject in students]
    across, up = ([score[axis] for score in scores] for axis in (0, 1))
    around = rings([(x[0], y[0]) for x, y in scores], (_span(across), _span(up)))
    for k, subject in enumerate(students):
        (x, left, right), (y, low, high) = scores[k]
        ax.errorbar(
            [x],
            [y],
            yerr=[[y - low], [high - y]],
            xerr=[[x - left], [right - x]],
            label=subject.name if several_models else subject.title,
            capsize=3,
            elinewidth=1.2,
            # Open, so that points in the same place are all seen.
            **line_look(k) | {"linestyle": "none", "markerfacecolor": "none", "mew": 1.6},
            markersize=8 + RINGS * around[k],
        )


def _span(scores: Sequence[tuple[float, float, float]]) -> float:
    """Return from where to where means with these intervals take an axis."""
    return max(high for _, _, high in scores) - min(low for _, low, _ in scores)


SEE = (
    "Points that rise towards the right show students that are accurate because they imitate the "
    "teacher. A student far up on the left is accurate in a way of its own, and one far down on the "
    "right copies the teacher's mistakes."
)


FIGURE = FigureKind(
    "test accuracy of students against agreement with their teacher", SEE, draw, obstacle, note
)
