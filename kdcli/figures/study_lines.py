"""Accuracy of the students of a study against a key that varies, beside their control."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import ABREAST, WIDTH, abreast, panels
from kdcli.figures.captions import MOST_PANELS
from kdcli.figures.kind import StudyFigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import GREY, line_look
from kdcli.figures.study_axes import apart, positions, tick_lines, value_axis
from kdcli.figures.study_gains import (
    OVERESTIMATE,
    by_spot,
    caption_of_gaps,
    caption_of_means,
    finding,
    gains,
    interval_sources_of_study,
    mean_score,
    most_telling,
    of_treatment,
    spot_of,
)
from kdcli.figures.ticks import percent_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.study_view import StudyView

METRICS = {"accuracy": "test accuracy", "nll": "test NLL (nats)"}
MOST_BESIDE = 3  # values of a second key, up to which NLL has panels as well
CONTROL_MARKERS = "Xdp"
LEVELS: dict[str, dict[str, Any]] = {
    "teacher": {"color": GREY, "linestyle": "-."},
    "Bayes optimum": {"color": "black", "linestyle": ":"},
}
MOST_LINES = 9  # of treatments in a panel


def obstacle(view: StudyView) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    key = view.keys[view.across]
    if len(key.values) < 2:
        return f"it needs a key with two values, and {key.name} has one"
    return "" if by_spot(view, None) else f"no run that is there has a {key.name} of its own"


def draw(view: StudyView) -> Figure:
    """Draw a line for each treatment, in a panel for each value of a second key and metric."""
    second = view.beside(MOST_PANELS)
    values = view.values_beside(second)
    metrics = list(METRICS) if len(values) <= MOST_BESIDE else ["accuracy"]
    key, room = view.keys[view.across], ABREAST if second is None else WIDTH
    lines = tick_lines(key, room)
    title = f"{finding(view, gains(view, second), second)}, study {view.study}"
    caption = _caption(view, second, metrics)
    if second is None:
        figure, axes = abreast(len(metrics), title=title, caption=caption, tick_lines=lines)
    else:
        names = [view.keys[second].at(value) for value in values]
        figure, axes = panels(
            names * len(metrics), title=title, caption=caption, shared=False, tick_lines=lines
        )
    rows = [axes[k * len(values) : (k + 1) * len(values)] for k in range(len(metrics))]
    for metric, row in zip(metrics, rows, strict=True):
        for ax, value in zip(row, values, strict=True):
            if ax is not row[0]:
                ax.sharey(row[0])
            _panel(ax, view, second, value, metric)
            value_axis(ax, key, room)
    entries: dict[str, Any] = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    ordered = [name for name in (*view.treatments, *LEVELS) if name in entries]
    legend(figure, [entries[name] for name in ordered], ordered)
    return figure


def _drawn(view: StudyView) -> list[str]:
    """Return the treatments that there is room for: all, or the one that tells most and those beside it."""
    if len(view.treatments) <= MOST_LINES:
        return list(view.treatments)
    telling = most_telling(gains(view, view.beside(MOST_PANELS)))
    control = view.control_of.get(telling.treatment) if telling else view.treatments[0]
    group = [name for name in view.treatments if control in (name, view.control_of.get(name))]
    return group[:MOST_LINES]


def _panel(ax: Axes, view: StudyView, second: int | None, value: int | None, metric: str) -> None:
    """Draw the lines of one metric at one value of a second key."""
    for treatment in _drawn(view):
        _line(ax, view, second, value, treatment, metric)
    if metric == "accuracy":
        _levels(ax, view, second, value)
        percent_ticks(ax.yaxis)
    ax.set_ylabel(METRICS[metric])
    ax.grid(alpha=0.3)


def _line(
    ax: Axes, view: StudyView, second: int | None, value: int | None, treatment: str, metric: str
) -> None:
    """Draw the line of a treatment, with gaps where no run is, and hollow points where some are missing."""
    import numpy as np

    key, spots = view.keys[view.across], by_spot(view, second)
    scores = [
        [students.scores[metric] for students in of_treatment(spots.get((k, value), ()), treatment)]
        for k in range(len(key.values))
    ]
    if not any(scores):
        return
    mean, low, high = np.array([mean_score(of_spot) for of_spot in scores]).T
    drawn = _drawn(view)
    x = np.array(apart(key, drawn.index(treatment), len(drawn)))
    look = _look(view, treatment)
    bars = [np.maximum(mean - low, 0), np.maximum(high - mean, 0)]
    ax.errorbar(x, mean, bars, label=treatment, capsize=3, markersize=5, linewidth=1.4, **look)
    lacking = {spot_of(place, view.across, second) for place in view.missing}
    hollow = [(k, value) in lacking and math.isfinite(mean[k]) for k in range(len(mean))]
    if any(hollow):
        ax.plot(
            x[hollow],
            mean[hollow],
            **look | {"linestyle": "none"},
            markersize=5,
            markerfacecolor="white",
            zorder=3,
        )


def _look(view: StudyView, treatment: str) -> dict[str, Any]:
    """Return the look of a treatment's line: controls are dashed and black."""
    if treatment in view.controls:
        k = view.controls.index(treatment)
        return {"color": "black", "marker": CONTROL_MARKERS[k % len(CONTROL_MARKERS)], "linestyle": "--"}
    others = [name for name in _drawn(view) if name not in view.controls]
    return line_look(others.index(treatment)) | {"linestyle": "-"}


def _levels(ax: Axes, view: StudyView, second: int | None, value: int | None) -> None:
    """Draw the accuracies of the teacher and of the Bayes optimum, where they are known."""
    key, spots = view.keys[view.across], by_spot(view, second)
    for name, look in LEVELS.items():
        level = [
            mean_score(
                [(run.levels[name], None, None) for run in spots.get((k, value), ()) if name in run.levels]
            )
            for k in range(len(key.values))
        ]
        means = [mean for mean, _, _ in level]
        if any(map(math.isfinite, means)):
            ax.plot(positions(key), means, label=name, linewidth=1.2, zorder=1, **look)


def _caption(view: StudyView, second: int | None, metrics: list[str]) -> str:
    endless = "nll" in metrics and any(
        math.isinf(students.scores["nll"][0]) for run in view.runs for students in run.sets
    )
    bars = f"Bars: 95 % intervals over {interval_sources_of_study(view)}."
    drawn = _drawn(view)
    left_out = f"The figure shows {len(drawn)} of {len(view.treatments)} treatments."
    texts = [
        f"{bars} Dashed: the control. Lines are moved apart a little." if view.controls else bars,
        caption_of_means(
            view, second, "Each point", ", with the mean of their intervals, as if all erred alike"
        ),
        caption_of_gaps(view),
        _hollow(view, second),
        "Means with an infinite value are left out." if endless else "",
        left_out if len(drawn) < len(view.treatments) else "",
        OVERESTIMATE if gains(view, second) else "",
    ]
    return " ".join(filter(None, texts))


def _hollow(view: StudyView, second: int | None) -> str:
    """Explain hollow points; empty where there are none."""
    lacking = {spot_of(place, view.across, second) for place in view.missing}
    return "Hollow: a mean that lacks such a run." if lacking & set(by_spot(view, second)) else ""


SEE = (
    "Each line is one target, and the dashed line is the control. Look where a line parts from its "
    "control: there distillation makes a difference, for better or worse. Bars that overlap much leave "
    "it open whether it does."
)

FIGURE = StudyFigureKind(
    "test accuracy and likelihood of students against a key that varies, beside their control",
    SEE,
    draw,
    obstacle,
)
