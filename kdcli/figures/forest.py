"""Forest plots: a row for each student set under the name of its group, and a panel for each metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import rows
from kdcli.figures.looks import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Difference, View

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
    None: "no verdict",
}
TICKS = 5  # gaps between the ticks of a panel, at most: numbers such as −0.15 are wide
VERDICTS = (
    "Verdicts are corrected for the number of comparisons: an interval without 0 is not always significant."
)


def obstacle(view: View) -> str:
    """Return why differences from the control cannot be drawn; empty if they can."""
    differences = view.differences()
    if differences and all(difference.nothing for difference in differences):
        return "no student set has a seed in common with its control"
    return "" if differences else "it needs students and their control, students of the target labels"


def forest(
    differences: Sequence[Difference], *, title: str, caption: str, **shape: Any
) -> tuple[Figure, list[tuple[Axes, list[tuple[Difference, float]]]]]:
    """Make a figure with a panel for each metric; returns each with its differences and their heights.

    Each group has a row with its name above those of its sets. The `shape` is that of `canvas.rows`.
    """
    from matplotlib.ticker import MaxNLocator

    metrics = list(dict.fromkeys(d.metric for d in differences))
    names = list(dict.fromkeys((d.group, title) for d in differences for title in ("", d.title)))
    figure, axes = rows(
        len(metrics),
        [students or group for group, students in names],
        title=title,
        caption=caption,
        headings=[k for k, (_, students) in enumerate(names) if not students],
        axis_lines=2,
        **shape,
    )
    places = dict(zip(names, map(float, axes[0].get_yticks()), strict=True))
    panels = []
    for ax, metric in zip(axes, metrics, strict=True):
        own = [(d, places[d.group, d.title]) for d in differences if d.metric == metric]
        panels.append((ax, own))
        ax.axvline(0, color="black", linewidth=1)
        ax.set_xlabel(own[0][0].axis)
        ax.margins(x=0.12)
        ax.xaxis.set_major_locator(MaxNLocator(TICKS, steps=[1, 2, 5, 10]))
        ax.grid(axis="x", alpha=0.3)
        _name_sides(ax, own[0][0].sign)
    axes[0].set_ylabel("student sets, by model")
    for ax in axes[1:]:
        ax.tick_params("y", labelleft=False)
        ax.set_ylabel(" ")
    return figure, panels


def mark(ax: Axes, d: Difference, y: float) -> None:
    """Draw a difference with its interval in the look of its verdict, or say what it is."""
    if d.mean is None or math.isinf(d.mean):
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        place: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
        ax.text(0.02, y, _in_words(d), fontsize="small", bbox=ground, **place)
        return
    ends = [[d.mean - d.low], [d.high - d.mean]] if d.low is not None and d.high is not None else None
    ax.errorbar([d.mean], [y], xerr=ends, capsize=3, linestyle="none", **look(d.verdict))


def _in_words(d: Difference) -> str:
    """Say what a difference is that has no place on the axis."""
    if d.nothing:
        return "no seed in common with the control"
    if d.mean is None:
        return "both infinite"
    return f"infinite {'here' if d.mean > 0 else 'for the control'}: {WORDS[d.verdict]}"


def look(verdict: str | None) -> dict[str, Any]:
    """Return colour and marker of a verdict."""
    color, marker, filled = LOOKS[verdict]
    return {"color": color, "marker": marker, "markerfacecolor": color if filled else "white"}


def verdict_entries(differences: Sequence[Difference]) -> tuple[list[Artist], list[str]]:
    """Return handles and labels of a legend of the verdicts that are drawn."""
    from matplotlib.lines import Line2D

    given = {d.verdict for d in differences if not d.nothing}
    verdicts = [verdict for verdict in LOOKS if verdict in given]
    handles: list[Artist] = [Line2D([], [], linestyle="-", **look(verdict)) for verdict in verdicts]
    return handles, [WORDS[verdict] for verdict in verdicts]


def caption_of_verdicts(differences: Sequence[Difference]) -> str:
    """Return lines for the caption on how to read verdicts, and why some sets have none."""
    given = any(d.verdict for d in differences)
    why = dict.fromkeys(d.why for d in differences if d.verdict is None and not d.nothing and d.why)
    return (f"\n{VERDICTS}" if given else "") + (f"\nNo verdict ({'; '.join(why)})." if why else "")


def _name_sides(ax: Axes, sign: int) -> None:
    """Say above a panel on which side of 0 the control is better, and on which the students are."""
    sides = ("control better", "students better")[::sign]
    for x, text, align in ((0, f"← {sides[0]}", "left"), (1, f"{sides[1]} →", "right")):
        place: dict[str, Any] = {"transform": ax.transAxes, "va": "bottom", "ha": align}
        ax.text(x, 1.01, text, fontsize="small", color=GREY, **place)
