"""Reliability diagrams: whether a model is right as often as it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.figures.canvas import BLUE, GREY, legend, panels
from kdcli.figures.view import MOST_PANELS, count_shown, crowded_out, that_fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Subject, View

CAPTION = (
    "Test predictions of all seeds, by their top probability. Below the diagonal a model is overconfident.\n"
    "Points: area by their share of the predictions; bars: 95 % intervals over test examples.\n"
    "ECE: expected calibration error, the mean distance from the diagonal."
)
ROOM = MOST_PANELS - 1  # besides the teacher


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> str:
    """Say which students are left out; empty if none is."""
    return crowded_out(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw a panel for the teacher and for each student set."""
    subjects = replace(view, students=that_fit(view.students, ROOM)).subjects
    caption = CAPTION + count_shown(view.students, ROOM)
    figure, axes = panels(len(subjects), title=f"Reliability of run {view.run}", caption=caption)
    for ax, subject in zip(axes, subjects, strict=True):
        _panel(ax, subject, 1 / view.n_classes)
    handles, labels = axes[0].get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def wilson(rate: Array, n: Array) -> tuple[Array, Array]:
    """Return the ends of the 95 % interval of a `rate` among so many draws.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    z = 1.959964
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (rate * (1 - rate) / n + (z / (2 * n)) ** 2) ** 0.5
    return middle - half, middle + half


def _panel(ax: Axes, subject: Subject, least: float) -> None:
    import numpy as np
    from matplotlib.ticker import PercentFormatter

    bins = subject.reliability()
    ax.plot([least, 1], [least, 1], color=GREY, linestyle="--", label="right as often as it says")
    # Seeds are scored on the same examples: there is no more to tell a rate by than these.
    low, high = wilson(bins.right, bins.count / bins.seeds)
    ends = np.maximum([bins.right - low, high - bins.right], 0)  # rounding may put a rate outside
    ax.errorbar(bins.confidence, bins.right, ends, color=BLUE, linestyle="none", linewidth=1)
    share = bins.count / bins.count.sum()
    ax.scatter(
        bins.confidence,
        bins.right,
        10 + 150 * share,
        color=BLUE,
        label="predictions of one bin",
        zorder=3,
        clip_on=False,
    )
    ax.set_title(f"{subject.title} ({subject.model})\nECE {subject.score('ece')[0]:.2%}", fontsize="medium")
    ax.set_xlabel("top probability")
    ax.set_ylabel("share that is right", fontsize="small")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_ylim(-0.03, 1.03)
    ax.grid(alpha=0.3)
