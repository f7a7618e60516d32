"""Differences from the control with their intervals: a forest plot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import BLUE, GREY, ORANGE, legend, rows
from kdcli.figures.captions import caption_of_failures
from kdcli.figures.kind import FigureKind
from kdcli.words import capitalised, counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Difference, View

CAPTION = (
    "Bars: 95 % intervals over training seeds and test examples, for this teacher and these training data.\n"
    "Verdicts are corrected for the number of comparisons: an interval without 0 is not always significant."
)
# Verdict -> colour, marker and whether it is filled: apart without colour as well.
LOOKS = {
    "better": (BLUE, "^", True),
    "worse": (ORANGE, "v", True),
    "no difference shown": (GREY, "o", False),
    None: (GREY, "x", True),
}
WORDS = {
    "better": "better",
    "worse": "worse",
    "no difference shown": "inconclusive",
    None: "single seed: no verdict",
}


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    differences = view.differences()
    if differences and all(difference.nothing for difference in differences):
        return "no student set has a seed in common with its control"
    return "" if differences else "it needs students and their control, students of the target labels"


def draw(view: View) -> Figure:
    """Draw a panel for each metric, with a row for each student set under the name of its group."""
    differences = view.differences()
    metrics = list(dict.fromkeys((d.metric, d.axis) for d in differences))
    places = row_places(differences)
    figure, axes = rows(
        len(metrics),
        len(places),
        title=f"{finding(differences)}, run {view.run}",
        caption=CAPTION + caption_of_failures(view.students),
        axis_lines=2,
    )
    for ax, (metric, label) in zip(axes, metrics, strict=True):
        _panel(ax, [d for d in differences if d.metric == metric], places)
        ax.set_xlabel(label)
    _name_rows(axes, places)
    _legend(figure, differences)
    return figure


def finding(differences: Sequence[Difference]) -> str:
    """Count the first metric's verdicts: "Accuracy against the control: 6 sets better, 1 inconclusive"."""
    metric = differences[0].metric
    verdicts = [d.verdict for d in differences if d.metric == metric]
    counts = [
        (verdicts.count(verdict), WORDS[verdict]) for verdict in LOOKS if verdict and verdict in verdicts
    ]
    if not counts:
        return "Differences from the control"
    (first, word), *others = counts
    told = [f"{counted(first, 'set')} {word}", *(f"{count} {word}" for count, word in others)]
    return f"{capitalised(metric)} against the control: {', '.join(told)}"


def row_places(differences: Sequence[Difference]) -> dict[tuple[str, str], int]:
    """Return the height of each row, downwards from 0, by group and title: first of a group, its heading."""
    names = [(d.group, title) for d in differences for title in ("", d.title)]
    return {name: -k for k, name in enumerate(dict.fromkeys(names))}


def _panel(ax: Axes, differences: Sequence[Difference], places: Mapping[tuple[str, str], int]) -> None:
    ax.axvline(0, color="black", linewidth=1)
    for d in differences:
        y = places[d.group, d.title]
        if d.mean is None or math.isinf(d.mean):
            offset: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points"}
            ax.annotate(_in_words(d), (0, y), fontsize="small", va="center", **offset)
            continue
        ends = [[d.mean - d.low], [d.high - d.mean]] if d.low is not None and d.high is not None else None
        ax.errorbar([d.mean], [y], xerr=ends, capsize=3, linestyle="none", **_look(d.verdict))
    ax.set_ylim(min(places.values()) - 0.7, 0.7)
    ax.margins(x=0.12)
    ax.grid(axis="x", alpha=0.3)


def _in_words(d: Difference) -> str:
    """Say what a difference is that has no place on the axis."""
    if d.nothing:
        return "no seed in common with the control"
    if d.mean is None:
        return "both infinite"
    return f"infinite {'here' if d.mean > 0 else 'for the control'}: {WORDS[d.verdict]}"


def _name_rows(axes: Sequence[Axes], places: Mapping[tuple[str, str], int]) -> None:
    axes[0].set_yticks(list(places.values()), [title or group for group, title in places])
    axes[0].set_ylabel("student sets, by model")
    for name, (_, title) in zip(axes[0].get_yticklabels(), places, strict=True):
        name.set_fontweight("normal" if title else "bold")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
        ax.set_ylabel(" ")


def _legend(figure: Figure, differences: Sequence[Difference]) -> None:
    from matplotlib.lines import Line2D

    given = {d.verdict for d in differences if not d.nothing}
    verdicts = [verdict for verdict in LOOKS if verdict in given]
    handles = [Line2D([], [], linestyle="-", **_look(verdict)) for verdict in verdicts]
    legend(figure, handles, [WORDS[verdict] for verdict in verdicts])


def _look(verdict: str | None) -> dict[str, Any]:
    color, marker, filled = LOOKS[verdict]
    return {"color": color, "marker": marker, "markerfacecolor": color if filled else "white"}


FIGURE = FigureKind(
    "differences of student sets from their control, with intervals and verdicts",
    draw,
    obstacle,
    compares=True,
)
