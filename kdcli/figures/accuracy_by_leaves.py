"""Accuracy against number of leaves: what a tree of each size learns from each target."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kdcli.errors import Text
from kdcli.figures.apart import moved_lines
from kdcli.figures.canvas import wide_panel
from kdcli.figures.captions import counted_sets, percent, replicates, size_of_test, spoken
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import GREY, line_look
from kdcli.figures.ticks import percent_ticks
from kdcli.figures.wrapping import SMALL
from kdcli.words import counted, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

CAPTION = (
    "Points: mean over {}; bars: range, often smaller than a point. Lines are moved apart a little. A "
    "tree without a limit grows until all targets in a leaf are equal: with one-hot targets, until each "
    "leaf holds one class; with probabilities, until nearly every training example has its own leaf."
)


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    sizes = {subject.model for subject in _by_leaves(view)}
    return "" if len(sizes) > 1 else "it needs trees of at least two sizes, such as tree:max_leaf_nodes=16"


def note(view: View) -> Text:
    """Return a note on the trees that are left out; empty if there are none."""
    count = sum("leaves" in subject.recorded for subject in view.students) - len(_by_leaves(view))
    return f"leaves out {counted_sets(count)} of trees with limits other than max_leaf_nodes" if count else ""


def _leaves(subject: Subject) -> float:
    return float(subject.recorded["leaves"].mean())


def _by_leaves(view: View) -> list[Subject]:
    """Return the trees that are limited by their number of leaves alone, or not at all; smallest first."""
    trees = [s for s in view.students if "leaves" in s.recorded and s.limited_by != "else"]
    return sorted(trees, key=_leaves)


def _lines(view: View) -> dict[str, list[Subject]]:
    """Return the trees of each target, smallest first."""
    lines: dict[str, list[Subject]] = {}
    for subject in _by_leaves(view):
        lines.setdefault(subject.title, []).append(subject)
    return lines


def draw(view: View) -> Figure:
    """Draw a line for each target, and the teacher and the Bayes optimum as levels."""
    from matplotlib.ticker import LogLocator, ScalarFormatter

    lines = _lines(view)
    figure, ax = wide_panel(
        title=f"{finding(view)}, run {view.run}",
        caption=CAPTION.format(replicates(view)),
    )
    places = moved_lines([list(map(_leaves, subjects)) for subjects in lines.values()])
    for k, (title, subjects) in enumerate(lines.items()):
        _line(ax, title, places[k], subjects, line_look(k))
    if view.teacher:
        ax.axhline(view.teacher.recorded["accuracy"].mean(), color=GREY, linestyle="-.", label="teacher")
    if view.bayes:
        ax.axhline(view.bayes["accuracy"].mean(), color="black", linestyle="--", label="Bayes optimum")
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=20))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.margins(x=0.11, y=0.12)
    percent_ticks(ax.yaxis)
    ax.set_xlabel("number of leaves (log scale)")
    ax.set_ylabel(f"test accuracy ({size_of_test(view)})")
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def finding(view: View) -> str:
    """Say which target gives the most accurate trees at how many sizes; of one target, which size does."""
    lines = _lines(view)
    if len(lines) == 1:
        ((title, trees),) = lines.items()
        top = max(trees, key=_accuracy)
        size, accuracy = f"{_leaves(top):.0f} leaves", percent(_accuracy(top))
        return f"Trees of {spoken(title)} are most accurate with {size}: {accuracy}"
    sizes: dict[str, list[Subject]] = {}
    for tree in _by_leaves(view):
        sizes.setdefault(tree.model, []).append(tree)
    compared = [trees for trees in sizes.values() if len(trees) > 1]
    wins = Counter(title for trees in compared if (title := _most_accurate(trees)))
    if not compared:
        top = max(_by_leaves(view), key=_accuracy)
        size, accuracy = f"{_leaves(top):.0f} leaves", percent(_accuracy(top))
        return f"Trees of {spoken(top.title)} with {size} are the most accurate: {accuracy}"
    if not wins:
        return "No single target gives the most accurate trees at any size"
    most = max(wins.values())
    best = [spoken(title) for title in lines if wins[title] == most]
    give = "gives" if len(best) == 1 else "each give"
    return f"{listed(best)} {give} the most accurate trees at {most} of {counted(len(compared), 'size')}"


def _accuracy(tree: Subject) -> float:
    return float(tree.recorded["accuracy"].mean())


def _most_accurate(trees: Sequence[Subject]) -> str:
    """Return the title of the trees with the highest accuracy; empty where several have it."""
    highest = max(map(_accuracy, trees))
    titles = [tree.title for tree in trees if _accuracy(tree) == highest]
    return titles[0] if len(titles) == 1 else ""


def _line(
    ax: Axes, title: str, leaves: Sequence[float], subjects: Sequence[Subject], look: dict[str, Any]
) -> None:
    """Draw the accuracy of trees of one target by their size, at these places."""
    import numpy as np
    from matplotlib.patheffects import withStroke

    accuracies = [subject.recorded["accuracy"] for subject in subjects]
    mean, low, high = np.array([[a.mean(), a.min(), a.max()] for a in accuracies]).T
    spread = np.maximum([mean - low, high - mean], 0)  # rounding may put a mean outside of the range
    ax.errorbar(leaves, mean, spread, label=title, capsize=3, **look)
    for subject, x, y in zip(subjects, leaves, mean, strict=True):
        if subject.limited_by == "nothing":
            place: dict[str, Any] = {"xytext": (7, -15), "textcoords": "offset points"}
            halo = [withStroke(linewidth=3, foreground="white")]  # over the lines
            ax.annotate("no limit", (x, y), fontsize=SMALL.size, path_effects=halo, **place)


SEE = (
    "Each line is one target, and each point a tree size. Where the line of a teacher's target lies "
    "above that of the labels, the teacher helps trees of that size. Trees with many leaves can "
    "memorise noisy labels, so the lines often part at the right."
)

FIGURE = FigureKind(
    "test accuracy of trees against their number of leaves, by target", SEE, draw, obstacle, note
)
