"""Accuracy and likelihood against temperature: where soft targets pay, beside the control."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

from kdcli.figures.canvas import GREY, abreast, legend, line_look
from kdcli.figures.view import parts_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

CAPTION = (
    "Bars and bands: 95 % intervals of the mean over test examples, and over seeds where there are several,\n"
    "for this teacher and these training data. Dashed: the same students taught the labels, the control.\n"
    "Infinite values are left out."
)
SOFTENED = ("soft", "shuffled")


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    return "" if _lines(view) else "it needs soft targets of at least two temperatures, such as -T 1,4"


def _lines(view: View) -> dict[tuple[str, str, str], list[Subject]]:
    """Return the softened sets of each target, model and variant with several temperatures, by these."""
    lines: dict[tuple[str, str, str], list[Subject]] = {}
    for subject in sorted(view.students, key=lambda s: s.temperature):
        if subject.target in SOFTENED:
            lines.setdefault((subject.target, subject.model, subject.variant), []).append(subject)
    soft_first = sorted(lines.items(), key=lambda line: SOFTENED.index(line[0][0]))
    return {key: sets for key, sets in soft_first if len(sets) > 1}


def draw(view: View) -> Figure:
    """Draw a line for each target, model and variant, with its control as a level, once for each metric."""
    from matplotlib.ticker import PercentFormatter

    lines = _lines(view)
    # Those with a variant, such as a name of their own, only where there is no other.
    able = {
        (s.model, s.transfer_size): s
        for s in sorted(view.students, key=lambda s: not s.variant)
        if s.target == "labels"
    }
    wanted = {(sets[0].model, sets[0].transfer_size) for sets in lines.values()}
    controls = [control for place, control in able.items() if place in wanted]
    figure, (left, right) = abreast(
        2,
        title=f"Accuracy and negative log-likelihood of students by temperature, run {view.run}",
        caption=CAPTION + parts_named([*chain(*lines.values()), *controls]),
        entries=len(lines) + len(controls) + (view.teacher is not None),
    )
    _panel(left, view, lines, controls, "accuracy")
    left.set_ylabel(f"test accuracy ({len(view.y_test):,} examples)")
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    _panel(right, view, lines, controls, "nll")
    right.set_ylabel("negative log-likelihood (nats)")
    handles, labels = left.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def _panel(
    ax: Axes,
    view: View,
    lines: dict[tuple[str, str, str], list[Subject]],
    controls: list[Subject],
    metric: str,
) -> None:
    import numpy as np
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

    looks: dict[tuple[str, int], str] = {}
    for k, ((target, *names), sets) in enumerate(lines.items()):
        look = line_look(k) | {"linestyle": "-"}
        looks.setdefault((sets[0].model, sets[0].transfer_size), look["color"])
        mean, low, high = np.array([s.score(metric) for s in sets]).T
        mean[~np.isfinite(mean)] = np.nan
        name = ", ".join(filter(None, names))
        bars = [mean - low, high - mean]
        ax.errorbar([s.temperature for s in sets], mean, bars, label=f"{target} → {name}", capsize=3, **look)
    for control in controls:
        color = looks[control.model, control.transfer_size]
        mean, low, high = control.score(metric)
        size = f", n = {control.transfer_size}" if control.transfer_size else ""
        level = mean if math.isfinite(mean) else math.nan
        ax.axhline(level, color=color, linestyle="--", label=f"labels → {control.model}{size}")
        if math.isfinite(mean):
            ax.axhspan(low, high, color=color, alpha=0.12, linewidth=0)
    if view.teacher:
        ax.axhline(view.teacher.score(metric)[0], color=GREY, linestyle="-.", label="teacher")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sorted({s.temperature for sets in lines.values() for s in sets})))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("temperature T of the soft targets (log scale)")
    ax.margins(y=0.12)
    ax.grid(alpha=0.3)
