"""Differences from the control in each draw of the data, and their mean: whether other draws confirm it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kdcli.figures.captions import caption_of_failures, interval_sources
from kdcli.figures.forest import WORDS, caption_of_verdicts, forest, mark, verdict_entries
from kdcli.figures.forest import obstacle as obstacle_to_comparing
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Difference, View

ROW = 0.46  # height in inches
MEAN = 0.27  # of a row, above its middle: where the mean is
FIRST, LAST = 0.04, -0.4  # the same of the first and of the last draw
POINT: dict[str, Any] = {"marker": "o", "facecolors": "none", "edgecolors": "0.25", "linewidths": 0.8}


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    if view.draws < 2:
        return "it needs several draws of the data, such as --draws 10"
    return obstacle_to_comparing(view)


def draw(view: View) -> Figure:
    """Draw a panel for each metric, with a point for each draw in the row of each student set."""
    differences = view.differences()
    handles, labels = verdict_entries(differences)
    figure, panels = forest(
        differences,
        title=f"{finding(view)}, run {view.run}",
        caption=_caption(view, differences),
        line=ROW,
    )
    for ax, own in panels:
        for d, y in own:
            ax.axhline(y + 0.5, color="0.85", linewidth=0.6, zorder=0)
            _points(ax, d, y)
            mark(ax, d, y + MEAN)
    point = panels[0][0].scatter([], [], s=14, **POINT)
    legend(figure, [point, *handles], ["one draw", *(f"mean: {label}" for label in labels)])
    return figure


def finding(view: View) -> str:
    """Say in how many draws one set is better or worse: the one whose mean tells most on the first metric."""
    differences = view.differences()
    metric = differences[0].metric
    known = [(d, d.mean) for d in differences if d.metric == metric and d.by_draw and d.mean is not None]
    if not known:
        return f"No difference in {metric} from the control has a mean that is known"
    weights = {"better": 2, "worse": 1}
    d, mean = max(known, key=lambda pair: (weights.get(pair[0].verdict or "", 0), abs(pair[1])))
    name, draws = f"{d.title} ({d.group})", f"{len(d.by_draw)} draws"
    if mean == 0:
        return f"{name}: no difference in {metric} from the control on average over {draws}"
    better = d.sign * mean > 0
    same = sum(mean * difference > 0 for difference in d.by_draw)
    words = f"{'better' if better else 'worse'} in {metric}"
    if metric == "accuracy":
        words = "more accurate" if better else "less accurate"
    open_yet = "" if d.verdict in weights else f" ({WORDS[d.verdict]})"
    return f"{name}: {words} than the control in {same} of {draws}{open_yet}"


def _points(ax: Axes, d: Difference, y: float) -> None:
    """Draw the finite differences of the draws, the first on top and the last at the bottom of the row."""
    step = (LAST - FIRST) / max(1, len(d.by_draw) - 1)
    finite = [(value, y + FIRST + step * k) for k, value in enumerate(d.by_draw) if math.isfinite(value)]
    ax.scatter([x for x, _ in finite], [height for _, height in finite], s=14, **POINT)


def _caption(view: View, differences: Sequence[Difference]) -> str:
    left_out = sum(not math.isfinite(value) for d in differences for value in d.by_draw)
    texts = [
        "Points: the difference in one draw of the data, draw 0 on top of each row.",
        "A point on the control's side of 0 is a draw in which the control was better.",
        f"Bars: the mean with its 95 % interval, over {interval_sources(view)}.",
    ]
    if left_out:
        texts.append(f"Left out: {counted(left_out, 'infinite or undefined difference')}.")
    verdicts = caption_of_verdicts(differences)
    return "\n".join(texts) + verdicts + caption_of_failures(view.students)


SEE = (
    "Each small circle is the difference from the control in one draw of the data. Circles on one side "
    "of 0 in nearly every draw show an effect that can be expected of other data too. Circles on both "
    "sides show an effect that depends on the sample."
)

FIGURE = FigureKind(
    "differences from the control in each draw of the data, with their mean",
    SEE,
    draw,
    obstacle,
    compares=True,
)
