"""Reliability diagrams: whether models are correct as often as their confidence says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.errors import Text
from kdcli.figures.canvas import panels, under
from kdcli.figures.captions import (
    MOST_PANELS,
    caption_of_room,
    fitting_subjects,
    note_of_room,
    percent,
    replicates,
)
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import BLUE, GREY, SKY, VERMILION
from kdcli.figures.ticks import percent_ticks
from kdcli.words import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Reliability, View

CAPTION = (
    "Test predictions of all {0}, in bins of their confidence: the probability of the predicted class. "
    "Below: the share of all predictions in each bin, which is the area of its point as well. Bars: 95 % "
    "intervals over test examples alone. ECE: expected calibration error, the mean distance from the "
    "diagonal, for each model alone and averaged over {0}; it is too large on few test examples."
)
BOTH, SHARE, GAP = 3.2, 0.28, 0.12  # inches of both panels, share of the histogram, and the gap in inches
ROOM = MOST_PANELS - 1  # besides the teacher


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> Text:
    """Return a note on the students that are left out; empty if there are none."""
    return note_of_room(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw a panel for the teacher and for each student set."""
    subjects = fitting_subjects(view, ROOM)
    caption = CAPTION.format(replicates(view)) + caption_of_room(view.students, ROOM)
    titles = [f"{subject.name}\nECE {percent(subject.score('ece')[0])}" for subject in subjects]
    title = f"{finding(view)}, run {view.run}"
    figure, axes = panels(titles, title=title, caption=caption, height=BOTH)
    histograms: list[Axes] = []
    for ax, subject in zip(axes, subjects, strict=True):
        bins = subject.reliability()
        _diagram(ax, bins, 1 / view.n_classes)
        histograms.append(under(figure, ax, SHARE, GAP))
        _histogram(histograms[-1], bins)
    for ax in histograms[1:]:
        ax.sharey(histograms[0])
    entries = [ax.get_legend_handles_labels() for ax in (axes[0], histograms[0])]
    handles, labels = ([*upper, *lower] for upper, lower in zip(*entries, strict=True))
    legend(figure, handles, labels)
    return figure


def finding(view: View) -> str:
    """Say which models are calibrated best and worst, by their ECE as it is shown."""
    errors = {subject.name: percent(subject.score("ece")[0]) for subject in fitting_subjects(view, ROOM)}
    by_error = sorted(fitting_subjects(view, ROOM), key=lambda subject: subject.score("ece")[0])
    least, most = errors[by_error[0].name], errors[by_error[-1].name]
    if least == most:
        return f"{_names(errors, least)}: ECE {least}"
    best, worst = f"{_names(errors, least)}, ECE {least}", f"{_names(errors, most)}, ECE {most}"
    return f"Best calibrated: {best}; worst: {worst}"


def _names(errors: Mapping[str, str], shown: str) -> str:
    """Name the models of this error, or count them where they are many."""
    names = [name for name, error in errors.items() if error == shown]
    if len(names) > 2:
        return f"all {len(names)} models" if len(names) == len(errors) else f"{len(names)} models"
    return listed(names)


def wilson(rate: Array, n: Array) -> tuple[Array, Array]:
    """Return the ends of the 95 % interval of a `rate` among `n` independent cases.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    z = 1.959964
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (rate * (1 - rate) / n + (z / (2 * n)) ** 2) ** 0.5
    return middle - half, middle + half


def _diagram(ax: Axes, bins: Reliability, least: float) -> None:
    """Draw accuracy against confidence, which is `least` where all classes are equally probable."""
    import numpy as np

    ax.plot([least, 1], [least, 1], color=GREY, linestyle="--", label="perfect calibration")
    # All seeds predict the same examples, whose number alone tells how uncertain a rate is.
    low, high = wilson(bins.accuracy, bins.count / bins.each)
    ends = np.maximum([bins.accuracy - low, high - bins.accuracy], 0)  # rounding may put a rate outside
    ax.errorbar(bins.confidence, bins.accuracy, ends, color=BLUE, linestyle="none", linewidth=1)
    area = 10 + 150 * bins.count / bins.count.sum()
    look: dict[str, Any] = {"color": BLUE, "zorder": 3, "clip_on": False}
    ax.scatter(bins.confidence, bins.accuracy, area, label="predictions in one bin", **look)
    ax.set_xlabel("confidence")
    ax.set_ylabel("accuracy")
    percent_ticks(ax.yaxis)
    ax.set_xlim(least - 0.04 * (1 - least), 1 + 0.04 * (1 - least))
    ax.set_ylim(-0.03, 1.03)
    ax.grid(alpha=0.3)


def _histogram(ax: Axes, bins: Reliability) -> None:
    """Draw which share of the predictions each bin has, with the means of confidence and of accuracy."""
    share = bins.count / bins.count.sum()
    ax.bar(bins.left, share, bins.width, align="edge", color=SKY, edgecolor="white", linewidth=0.5)
    accuracy, confidence = float(bins.accuracy @ share), float(bins.confidence @ share)
    ax.axvline(accuracy, color="black", linewidth=1.4, label="mean accuracy")
    ax.axvline(confidence, color=VERMILION, linewidth=1.4, linestyle=":", label="mean confidence")
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1])
    ax.set_xlabel("confidence")
    ax.set_ylabel("share")
    percent_ticks(ax.xaxis, ax.yaxis)
    ax.grid(alpha=0.3)


SEE = (
    "A calibrated model's points lie on the diagonal. Points below it show overconfidence: the model is "
    "right less often than it claims. The histogram tells how many predictions have each confidence, "
    "and so which points matter most; where the mean confidence is to the right of the mean accuracy, "
    "the model is overconfident on the whole."
)

FIGURE = FigureKind("accuracy of the teacher and of each set by their confidence", SEE, draw, obstacle, note)
