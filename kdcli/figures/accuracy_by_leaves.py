"""Accuracy against number of leaves: what a tree of each size learns from each target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import GREY, legend, line_look, wide_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, Trees, View

CAPTION = (
    "Points: mean over seeds; bars: their range, often within the point. Without a limit a tree grows\n"
    "until the targets in each leaf are all alike: one class in each with one-hot targets, next to one\n"
    "training example in each with probabilities."
)


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    models = {subject.model for subject, _ in _by_leaves(view)}
    return "" if len(models) > 1 else "it needs trees of at least two sizes, such as tree:max_leaf_nodes=16"


def note(view: View) -> str:
    """Say which trees are left out; empty if none is."""
    count = sum(subject.trees is not None for subject in view.students) - len(_by_leaves(view))
    sets = f"{count} set{'s' if count > 1 else ''}"
    return f"leaves out {sets} of trees with other limits than max_leaf_nodes" if count else ""


def _by_leaves(view: View) -> list[tuple[Subject, Trees]]:
    """Return the trees that are limited by their number of leaves alone, or not at all; smallest first."""
    found = [(s, s.trees) for s in view.students if s.trees and s.trees.limited_by != "else"]
    return sorted(found, key=lambda pair: float(pair[1].leaves.mean()))


def draw(view: View) -> Figure:
    """Draw a line for each target, and the teacher and the Bayes optimum as levels."""
    import numpy as np
    from matplotlib.ticker import LogLocator, PercentFormatter, ScalarFormatter

    lines: dict[str, list[tuple[Subject, Trees]]] = {}
    for subject, trees in _by_leaves(view):
        lines.setdefault(subject.title, []).append((subject, trees))
    levels = [view.teacher is not None, view.bayes_accuracy is not None]
    figure, ax = wide_panel(
        title=f"Accuracy of trees by their size, run {view.run}",
        caption=CAPTION,
        entries=len(lines) + sum(levels),
    )
    for k, (title, points) in enumerate(lines.items()):
        look = line_look(k)
        leaves = [float(trees.leaves.mean()) for _, trees in points]
        mean, low, high = np.array([[a.mean(), a.min(), a.max()] for a in (s.accuracy for s, _ in points)]).T
        spread = np.maximum([mean - low, high - mean], 0)  # rounding may put a mean outside of the range
        ax.errorbar(leaves, mean, spread, label=title, capsize=3, **look)
        for (_, trees), x, y in zip(points, leaves, mean, strict=True):
            if trees.limited_by == "nothing":
                place: dict[str, Any] = {"xytext": (8, -14), "textcoords": "offset points"}
                ax.annotate("no limit", (x, y), color=look["color"], fontsize="small", **place)
    if view.teacher:
        ax.axhline(float(view.teacher.accuracy[0]), color=GREY, linestyle="-.", label="teacher")
    if view.bayes_accuracy is not None:
        ax.axhline(view.bayes_accuracy, color="black", linestyle="--", label="Bayes optimum")
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=20))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.margins(x=0.08, y=0.12)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_xlabel("number of leaves (log scale)")
    ax.set_ylabel(f"test accuracy ({len(view.y_test):,} examples)")
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure
