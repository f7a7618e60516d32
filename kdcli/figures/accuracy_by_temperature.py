"""Accuracy against temperature: where soft targets pay, beside the control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.figures.canvas import GREY, legend, line_look, wide_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

CAPTION = (
    "Bars and bands: 95 % intervals of the mean over test examples, and over seeds where there are several,\n"
    "for this teacher and these training data. Dashed: the same students taught the labels, the control."
)


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    drawn = any(len(soft) > 1 for soft in _lines(view).values())
    return "" if drawn else "it needs soft targets of at least two temperatures, such as --temperature 1,4"


def _lines(view: View) -> dict[tuple[str, str], list[Subject]]:
    """Return the soft sets of each model and variant, by temperature."""
    lines: dict[tuple[str, str], list[Subject]] = {}
    for subject in sorted(view.students, key=lambda s: s.temperature):
        if subject.target == "soft":
            lines.setdefault((subject.model, subject.variant), []).append(subject)
    return lines


def draw(view: View) -> Figure:
    """Draw a line for each model and variant, with its control as a level."""
    import numpy as np
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, PercentFormatter, ScalarFormatter

    lines = {key: soft for key, soft in _lines(view).items() if len(soft) > 1}
    controls = {(s.model, s.transfer_size): s for s in view.students if s.target == "labels"}
    shown = {(soft[0].model, soft[0].transfer_size) for soft in lines.values()} & controls.keys()
    figure, ax = wide_panel(
        title=f"Accuracy of students by temperature, run {view.run}",
        caption=CAPTION,
        entries=len(lines) + len(shown) + (view.teacher is not None),
    )
    for k, (key, soft) in enumerate(lines.items()):
        look = line_look(k) | {"linestyle": "-"}
        name = ", ".join(filter(None, key))
        mean = np.array([s.accuracy.mean() for s in soft])
        low, high = np.array([s.interval() for s in soft]).T
        temperatures = [s.temperature for s in soft]
        ax.errorbar(temperatures, mean, [mean - low, high - mean], label=f"soft → {name}", capsize=3, **look)
        if control := controls.pop((soft[0].model, soft[0].transfer_size), None):
            low, high = control.interval()
            size = f", n = {control.transfer_size}" if control.transfer_size else ""
            level = float(control.accuracy.mean())
            ax.axhline(level, color=look["color"], linestyle="--", label=f"labels → {control.model}{size}")
            ax.axhspan(low, high, color=look["color"], alpha=0.12, linewidth=0)
    if view.teacher:
        ax.axhline(float(view.teacher.accuracy[0]), color=GREY, linestyle="-.", label="teacher")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sorted({s.temperature for soft in lines.values() for s in soft})))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_xlabel("temperature T of the soft targets (log scale)")
    ax.set_ylabel(f"test accuracy ({len(view.y_test):,} examples)")
    ax.margins(y=0.12)
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure
