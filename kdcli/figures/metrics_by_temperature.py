"""Accuracy and likelihood against temperature: where soft targets beat the control."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from kdcli.figures.apart import moved_lines
from kdcli.figures.canvas import abreast
from kdcli.figures.captions import caption_of_failures, interval_sources, percent, size_of_test
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import GREY, line_look
from kdcli.figures.ticks import percent_ticks
from kdcli.words import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

    Lines: TypeAlias = dict[tuple[str, str, str], list[Subject]]

BARS, BANDS = "Bars:", "Bars and the band of the control:"
CAPTION = (
    "95 % intervals of the mean over {}. Dashed: the control, which is trained on the labels. Infinite "
    "values are left out. Where bars overlap much, it is open which temperature is best."
)
SOFTENED = ("soft", "spread", "shuffled", "self", "random")


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    return "" if _lines(view) else "it needs soft targets of at least two temperatures, such as -T 1,4"


def _lines(view: View) -> Lines:
    """Return the softened sets of each target, model and variant with several temperatures, by these.

    One that chose its temperature is left out beside another at the same.
    """
    lines: Lines = {}
    softened = [subject for subject in view.students if subject.target in SOFTENED]
    for subject in sorted(softened, key=lambda s: (s.temperature, s.chose_temperature)):
        line = lines.setdefault((subject.target, subject.model, subject.variant), [])
        if subject.temperature not in [other.temperature for other in line]:
            line.append(subject)
    soft_first = sorted(lines.items(), key=lambda line: SOFTENED.index(line[0][0]))
    return {key: sets for key, sets in soft_first if len(sets) > 1}


def _controls(view: View, lines: Lines) -> list[Subject]:
    """Return the sets trained on labels with the models and transfer sets of these lines."""
    wanted = {sets[0].group for sets in lines.values()}
    by_place: dict[tuple[Any, ...], list[Subject]] = {}
    for subject in view.students:
        if subject.target == "labels" and subject.labels_from == "target" and subject.group in wanted:
            by_place.setdefault(subject.group, []).append(subject)
    # One with more of a variant, such as a name of its own, only where there is no other.
    return [min(sets, key=lambda s: len(s.variant)) for sets in by_place.values()]


def draw(view: View) -> Figure:
    """Draw a line for each target, model and variant, with its control as a level, once for each metric."""
    lines = _lines(view)
    controls = _controls(view, lines)
    figure, (left, right) = abreast(
        2,
        title=f"{finding(view)}, run {view.run}",
        caption=_caption(view, lines, controls),
    )
    for ax, metric in ((left, "accuracy"), (right, "nll")):
        _lines_with_bars(ax, lines, metric)
        _levels(ax, view, lines, controls, metric)
        _temperature_axis(ax, sorted({s.temperature for sets in lines.values() for s in sets}))
    left.set_ylabel(f"test accuracy ({size_of_test(view)})")
    percent_ticks(left.yaxis)
    right.set_ylabel("test negative log-likelihood (nats)")
    handles, labels = left.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def finding(view: View) -> str:
    """Say at which temperature the sets of the first line are the most accurate, and have the lowest NLL."""
    (key, sets), *_ = _lines(view).items()
    temperatures, accuracy = _best(sets, "accuracy", max)
    name, highest = _label(key), f"highest accuracy ({percent(accuracy)})"
    coolest, nll = _best(sets, "nll", min)
    if math.isinf(nll):
        return f"{name}: {highest} at T = {temperatures}; NLL infinite at every T"
    lowest = f"lowest NLL ({nll:.4g} nats)"
    if temperatures == coolest:
        return f"{name}: {highest} and {lowest} at T = {temperatures}"
    return f"{name}: {highest} at T = {temperatures}, {lowest} at T = {coolest}"


def _caption(view: View, lines: Lines, controls: Sequence[Subject]) -> str:
    bars = BARS if len(controls) > 1 else BANDS
    moved = " Lines are moved apart a little." if len(lines) > 1 else ""
    failures = caption_of_failures([*chain(*lines.values()), *controls])
    return f"{bars} {CAPTION.format(interval_sources(view))}{moved}{failures}"


def _best(
    sets: Sequence[Subject], metric: str, best: Callable[[Iterable[float]], float]
) -> tuple[str, float]:
    """Return the temperatures at which a metric is best, within a sentence, and its value there."""
    means = [(subject.temperature, subject.score(metric)[0]) for subject in sets]
    value = best(mean for _, mean in means)
    return listed([f"{temperature:g}" for temperature, mean in means if mean == value]), value


def _label(key: tuple[str, str, str]) -> str:
    target, *names = key
    return f"{target} ({', '.join(filter(None, names))})"


def _lines_with_bars(ax: Axes, lines: Lines, metric: str) -> None:
    import numpy as np

    places = moved_lines([[s.temperature for s in sets] for sets in lines.values()])
    for k, (key, sets) in enumerate(lines.items()):
        mean, low, high = np.array([s.score(metric) for s in sets]).T
        mean[~np.isfinite(mean)] = np.nan
        bars = [mean - low, high - mean]
        look = line_look(k) | {"linestyle": "-"}
        ax.errorbar(places[k], mean, bars, label=_label(key), capsize=3, **look)


def _levels(ax: Axes, view: View, lines: Lines, controls: Sequence[Subject], metric: str) -> None:
    """Draw each control in the colour of the first line of its model, and the teacher."""
    colors: dict[tuple[Any, ...], str] = {}
    for k, sets in enumerate(lines.values()):
        colors.setdefault(sets[0].group, line_look(k)["color"])
    for control in controls:
        color = colors[control.group]
        mean, low, high = control.score(metric)
        level = mean if math.isfinite(mean) else math.nan
        label = _label((control.target, control.model, control.variant))
        ax.axhline(level, color=color, linestyle="--", label=label)
        if math.isfinite(mean) and len(controls) == 1:  # bands of several would cover each other
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


SEE = (
    "Look for temperatures at which a line is on the better side of its dashed control: above it in "
    "accuracy, below it in negative log-likelihood. Where the bars overlap, the data do not tell which "
    "temperature is best."
)

FIGURE = FigureKind(
    "accuracy and likelihood of soft targets against their temperature, beside the control",
    SEE,
    draw,
    obstacle,
)
