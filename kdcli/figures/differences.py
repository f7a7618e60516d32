"""Differences from the control with their intervals and verdicts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kdcli.figures.captions import caption_of_failures, interval_sources
from kdcli.figures.forest import (
    LOOKS,
    WORDS,
    caption_of_verdicts,
    forest,
    mark,
    obstacle,
    verdict_entries,
)
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.words import capitalised, counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import View


def draw(view: View) -> Figure:
    """Draw a panel for each metric, with a row for each student set under the name of its group."""
    differences = view.differences()
    caption = f"Bars: 95 % intervals over {interval_sources(view)}."
    figure, panels = forest(
        differences,
        title=f"{finding(view)}, run {view.run}",
        caption=f"{caption}{caption_of_verdicts(differences)}{caption_of_failures(view.students)}",
    )
    for ax, own in panels:
        for d, y in own:
            mark(ax, d, y)
        if not any(d.mean is not None and math.isfinite(d.mean) for d, _ in own):
            ax.set_xticks([0])  # nothing is to be read off a scale
    legend(figure, *verdict_entries(differences))
    return figure


def finding(view: View) -> str:
    """Count the first metric's verdicts: "Accuracy against the control: 6 sets better, 1 inconclusive"."""
    differences = view.differences()
    metric = differences[0].metric
    verdicts = [d.verdict for d in differences if d.metric == metric]
    counts = [
        (verdicts.count(verdict), WORDS[verdict]) for verdict in LOOKS if verdict and verdict in verdicts
    ]
    if not counts:
        return f"{capitalised(metric)} against the control: no verdict"
    (first, word), *others = counts
    told = [f"{counted(first, 'set')} {word}", *(f"{count} {word}" for count, word in others)]
    return f"{capitalised(metric)} against the control: {', '.join(told)}"


SEE = (
    "Each row is the difference between a student set and its control, which is at 0. The further "
    "an interval lies from 0, the clearer the effect; the shape of the marker is the verdict, which "
    "allows for the number of comparisons."
)

FIGURE = FigureKind(
    "differences of student sets from their control, with intervals and verdicts",
    SEE,
    draw,
    obstacle,
    compares=True,
)
