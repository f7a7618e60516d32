"""Accuracy against number of leaves: what a tree of each size learns from each target."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from kdcli.figures.canvas import GREY, LINES, legend, wide_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, View

CAPTION = (
    "Points: mean over seeds; bars: their range, often within the point. The right end of a line is as\n"
    "many leaves as the tree grew without a limit: with one-hot targets until each leaf holds one class,\n"
    "with probabilities until no two training points share a leaf."
)


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    sizes = {subject.model for subject in view.students if subject.leaves is not None}
    return "" if len(sizes) > 1 else "it needs trees of at least two sizes among the students"


def draw(view: View) -> Figure:
    """Draw a line for each target, and the teacher and the Bayes optimum as levels."""
    import numpy as np
    from matplotlib.ticker import PercentFormatter, ScalarFormatter

    lines: dict[str, list[tuple[float, Array]]] = {}  # the size and accuracies of each line's trees
    for subject in view.students:
        if subject.leaves is not None:
            lines.setdefault(subject.title, []).append((float(subject.leaves.mean()), subject.accuracy))
    figure, ax = wide_panel(title=f"Accuracy of trees by their size, run {view.run}", caption=CAPTION)
    for (title, trees), look in zip(lines.items(), cycle(LINES)):
        trees.sort(key=lambda tree: tree[0])
        leaves = [size for size, _ in trees]
        mean, low, high = np.array([[a.mean(), a.min(), a.max()] for _, a in trees]).T
        ax.errorbar(
            leaves, mean, yerr=np.maximum([mean - low, high - mean], 0), label=title, capsize=3, **look
        )
    if view.teacher:
        ax.axhline(float(view.teacher.accuracy[0]), color=GREY, linestyle="-.", label="teacher")
    if view.bayes_accuracy is not None:
        ax.axhline(view.bayes_accuracy, color="black", linestyle="--", label="Bayes optimum")
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_xlabel("number of leaves (log scale)")
    ax.set_ylabel(f"test accuracy ({len(view.y_test):,} examples)")
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure
