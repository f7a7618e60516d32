"""Accuracy against agreement with the teacher: who is right by imitation, and who by other means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.figures.canvas import GREY, legend, line_look, wide_panel
from kdcli.figures.view import MOST_PANELS, count_shown, crowded_out, that_fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import View

CAPTION = (
    "Bars: 95 % intervals over test examples, and over seeds where there are several. Further right\n"
    "students imitate their teacher better, those further up are right more often. Dashed: the teacher."
)
ROOM = MOST_PANELS
COLUMNS = 3  # of the legend


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    return "" if view.teacher and view.students else "it needs a teacher and students"


def note(view: View) -> str:
    """Say which students are left out; empty if none is."""
    return crowded_out(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw a point for each student set."""
    from matplotlib.ticker import PercentFormatter

    shown = that_fit(view.students, ROOM)
    figure, ax = wide_panel(
        title=f"Accuracy of students by agreement with their teacher, run {view.run}",
        caption=CAPTION + count_shown(view.students, ROOM),
        entries=len(shown) + 1,
        columns=COLUMNS,
    )
    several = len({subject.model for subject in shown}) > 1
    for k, subject in enumerate(shown):
        x, *across = subject.score("agreement")
        y, *along = subject.score("accuracy")
        label = f"{subject.title} → {subject.model}" if several else subject.title
        ax.errorbar(
            [x],
            [y],
            [[y - along[0]], [along[1] - y]],
            [[x - across[0]], [across[1] - x]],
            label=label,
            capsize=3,
            **line_look(k) | {"linestyle": "none"},
        )
    if view.teacher:
        ax.axhline(view.teacher.score("accuracy")[0], color=GREY, linestyle="--", label="teacher")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_xlabel("agreement with the teacher on test examples")
    ax.set_ylabel(f"test accuracy ({len(view.y_test):,} examples)")
    ax.margins(0.08)
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels, COLUMNS)
    return figure
