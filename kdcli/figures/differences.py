"""Differences from the control with their intervals: a forest plot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import BLUE, GREY, ORANGE, legend, rows
from kdcli.figures.view import parts_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Difference, View

CAPTION = (
    "Bars: 95 % intervals over training seeds and test examples, for this teacher and these training data.\n"
    "Verdicts are corrected for the number of comparisons, so that one interval without 0 is not enough."
)
# Verdict -> colour, marker and whether it is filled: apart without colour as well.
LOOKS = {
    "better": (BLUE, "^", True),
    "worse": (ORANGE, "v", True),
    "no difference shown": (GREY, "o", False),
    None: (GREY, "x", True),
}


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    found = view.differences()
    if found and all(d.nothing for d in found):
        return "no set has a seed left in common with its control"
    return "" if found else "it needs students and their control, those taught the labels"


def draw(view: View) -> Figure:
    """Draw a panel for each metric, with a row for each student set under the name of its group."""
    from matplotlib.lines import Line2D

    found = view.differences()
    metrics = list(dict.fromkeys((d.metric, d.axis) for d in found))
    names: list[tuple[str, str]] = []  # group, set: a row each, and one for a group by itself
    for d in found:
        if (d.group, "") not in names:
            names.append((d.group, ""))
        if (d.group, d.title) not in names:
            names.append((d.group, d.title))
    place = {name: -k for k, name in enumerate(names)}
    figure, axes = rows(
        len(metrics),
        len(names),
        title=f"Differences from the control, run {view.run}",
        caption=CAPTION + parts_named(view.students),
    )
    for ax, (metric, label) in zip(axes, metrics, strict=True):
        _panel(ax, [d for d in found if d.metric == metric], place)
        ax.set_xlabel(label)
    axes[0].set_yticks(list(place.values()), [title or group for group, title in place])
    axes[0].set_ylabel("student sets, by model")
    for name, (_, title) in zip(axes[0].get_yticklabels(), place, strict=True):
        name.set_fontweight("normal" if title else "bold")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
        ax.set_ylabel(" ")
    marked = {d.verdict for d in found if not d.nothing}
    verdicts = [verdict for verdict in LOOKS if verdict in marked]
    handles = [Line2D([], [], linestyle="-", **_look(verdict)) for verdict in verdicts]
    legend(figure, handles, [verdict or "a single seed: no verdict" for verdict in verdicts])
    return figure


def _look(verdict: str | None) -> dict[str, Any]:
    color, marker, filled = LOOKS[verdict]
    return {"color": color, "marker": marker, "markerfacecolor": color if filled else "white"}


def _in_words(d: Difference) -> str:
    """Say what a difference is that has no place on the axis."""
    if d.nothing:
        return "no seed in common"
    if d.mean is None:
        return "∞ for both"
    return f"∞ for {'it' if d.mean > 0 else 'the control'} alone: {d.verdict or 'a single seed'}"


def _panel(ax: Axes, found: Sequence[Difference], place: dict[tuple[str, str], int]) -> None:
    ax.axvline(0, color="black", linewidth=1)
    for d in found:
        y = place[d.group, d.title]
        if d.mean is None or math.isinf(d.mean):
            ax.annotate(
                _in_words(d),
                (0, y),
                xytext=(4, 0),
                textcoords="offset points",
                fontsize="small",
                va="center",
            )
            continue
        ends = [[d.mean - d.low], [d.high - d.mean]] if d.low is not None and d.high is not None else None
        ax.errorbar([d.mean], [y], xerr=ends, capsize=3, linestyle="none", **_look(d.verdict))
    ax.set_ylim(min(place.values()) - 0.7, 0.7)
    ax.margins(x=0.12)
    ax.grid(axis="x", alpha=0.3)
