"""Accuracy against number of leaves: what a tree of each size learns from each target."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from kdcli.figures.canvas import GREY, LINES, legend, wide_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Subject, View

CAPTION = (
    "Points: mean over seeds; bars: their range, often within the point. Without a limit a tree grows\n"
    "until the targets in each leaf are all alike: one class in each with one-hot targets, next to one\n"
    "training example in each with probabilities."
)


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    sizes = {subject.model for subject in view.students if _by_leaves(subject)}
    return "" if len(sizes) > 1 else "it needs trees with at least two limits of max_leaf_nodes"


def note(view: View) -> str:
    """Say which trees are left out; empty if none is."""
    count = sum(subject.leaves is not None and not _by_leaves(subject) for subject in view.students)
    sets = f"{count} set{'s' if count > 1 else ''}"
    return f"leaves out {sets} of trees that are limited by more than max_leaf_nodes" if count else ""


def _by_leaves(subject: Subject) -> bool:
    """Whether these are trees limited by their number of leaves alone, or not at all."""
    if subject.leaves is None:
        return False
    return subject.model == "tree" or (
        subject.model.startswith("tree:max_leaf_nodes=") and "," not in subject.model
    )


def draw(view: View) -> Figure:
    """Draw a line for each target, and the teacher and the Bayes optimum as levels."""
    import numpy as np
    from matplotlib.ticker import LogLocator, PercentFormatter, ScalarFormatter

    figure, ax = wide_panel(title=f"Accuracy of trees by their size, run {view.run}", caption=CAPTION)
    lines: dict[str, list[tuple[float, Array]]] = {}  # the size and accuracies of each line's trees
    for subject in view.students:
        if subject.leaves is not None and _by_leaves(subject):
            lines.setdefault(subject.title, []).append((float(subject.leaves.mean()), subject.accuracy))
            if subject.model == "tree":
                end = (float(subject.leaves.mean()), float(subject.accuracy.mean()))
                ax.annotate("no limit", end, (0, -16), textcoords="offset points", ha="center", color=GREY)
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
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=20))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.margins(y=0.12)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_xlabel("number of leaves (log scale)")
    ax.set_ylabel(f"test accuracy ({len(view.y_test):,} examples)")
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure
