"""Accuracy and likelihood against temperature: where soft targets beat the control."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from kdcli.figures.canvas import GREY, abreast, legend, line_look
from kdcli.figures.captions import caption_of_failures
from kdcli.figures.kind import FigureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

    Lines: TypeAlias = dict[tuple[str, str, str], list[Subject]]

CAPTION = (
    "Bars and bands: 95 % intervals of the mean over test examples, and over seeds where there are several,\n"
    "for this teacher and these training data. Dashed: the control, which is trained on the labels.\n"
    "Infinite values are left out."
)
SOFTENED = ("soft", "shuffled")


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    return "" if _lines(view) else "it needs soft targets of at least two temperatures, such as -T 1,4"


def _lines(view: View) -> Lines:
    """Return the softened sets of each target, model and variant with several temperatures, by these."""
    lines: Lines = {}
    for subject in sorted(view.students, key=lambda s: s.temperature):
        if subject.target in SOFTENED:
            lines.setdefault((subject.target, subject.model, subject.variant), []).append(subject)
    soft_first = sorted(lines.items(), key=lambda line: SOFTENED.index(line[0][0]))
    return {key: sets for key, sets in soft_first if len(sets) > 1}


def _controls(view: View, lines: Lines) -> list[Subject]:
    """Return the sets trained on labels with the models and transfer sets of these lines."""
    # One with a variant, such as a name of its own, only where there is no other.
    plain_last = sorted(view.students, key=lambda s: not s.variant)
    by_place = {(s.model, s.transfer_size): s for s in plain_last if s.target == "labels"}
    wanted = {(sets[0].model, sets[0].transfer_size) for sets in lines.values()}
    return [control for place, control in by_place.items() if place in wanted]


def draw(view: View) -> Figure:
    """Draw a line for each target, model and variant, with its control as a level, once for each metric."""
    from matplotlib.ticker import PercentFormatter

    lines = _lines(view)
    controls = _controls(view, lines)
    figure, (left, right) = abreast(
        2,
        title=f"Accuracy and negative log-likelihood of students by temperature, run {view.run}",
        caption=CAPTION + caption_of_failures([*chain(*lines.values()), *controls]),
        entries=len(lines) + len(controls) + (view.teacher is not None),
    )
    for ax, metric in ((left, "accuracy"), (right, "nll")):
        _lines_with_bars(ax, lines, metric)
        _levels(ax, view, lines, controls, metric)
        _temperature_axis(ax, sorted({s.temperature for sets in lines.values() for s in sets}))
    left.set_ylabel(f"test accuracy ({len(view.test.y):,} examples)")
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    right.set_ylabel("test negative log-likelihood (nats)")
    handles, labels = left.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def _lines_with_bars(ax: Axes, lines: Lines, metric: str) -> None:
    import numpy as np

    for k, ((target, *names), sets) in enumerate(lines.items()):
        mean, low, high = np.array([s.score(metric) for s in sets]).T
        mean[~np.isfinite(mean)] = np.nan
        bars = [mean - low, high - mean]
        label = f"{target} ({', '.join(filter(None, names))})"
        look = line_look(k) | {"linestyle": "-"}
        ax.errorbar([s.temperature for s in sets], mean, bars, label=label, capsize=3, **look)


def _levels(ax: Axes, view: View, lines: Lines, controls: Sequence[Subject], metric: str) -> None:
    """Draw each control in the colour of the first line of its model, and the teacher."""
    colors: dict[tuple[str, int], str] = {}
    for k, sets in enumerate(lines.values()):
        colors.setdefault((sets[0].model, sets[0].transfer_size), line_look(k)["color"])
    for control in controls:
        color = colors[control.model, control.transfer_size]
        mean, low, high = control.score(metric)
        size = f", n = {control.transfer_size}" if control.transfer_size else ""
        level = mean if math.isfinite(mean) else math.nan
        ax.axhline(level, color=color, linestyle="--", label=f"labels ({control.model}{size})")
        if math.isfinite(mean):
            ax.axhspan(low, high, color=color, alpha=0.12, linewidth=0)
    if view.teacher:
        ax.axhline(view.teacher.score(metric)[0], color=GREY, linestyle="-.", label="teacher")


def _temperature_axis(ax: Axes, temperatures: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(list(temperatures)))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("temperature T of the targets (log scale)")
    ax.margins(y=0.12)
    ax.grid(alpha=0.3)


FIGURE = FigureKind(
    "accuracy and likelihood of soft targets against their temperature, beside the control", draw, obstacle
)
