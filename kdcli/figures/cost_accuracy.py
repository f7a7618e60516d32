"""Accuracy against size: what accuracy a student of a given size has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.figures.apart import side_by_side
from kdcli.figures.canvas import wide_panel
from kdcli.figures.captions import MOST_PANELS, interval_sources, size_of_test
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import GREY, line_look
from kdcli.figures.ticks import percent_ticks
from kdcli.words import counted, ratio, readable_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Subject, View

CAPTION = (
    "Thin line: the most accurate of at most that size. Models of one size are moved apart a little, so that "
    "all of them are seen."
)
COLUMNS = 3  # of the legend
NEARLY = 0.005  # of accuracy
STEPS = (1.0, 2.0, 5.0)  # of ticks between powers of ten
OTHERS: dict[str, Any] = {
    "color": "0.7",
    "marker": ".",
    "markersize": 6,
    "mew": 1.0,
    "zorder": 0.5,
}  # sets not named
FEW = 30  # times the smallest size, up to which ticks are at all steps


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    sizes = {subject.size() for subject in view.subjects} - {None}
    return "" if view.students and len(sizes) > 1 else "it needs students and models of two sizes"


def draw(view: View) -> Figure:
    """Draw a point for each student set and for the teacher, and the line of the best for their size.

    Where there are many sets, those on the line are named.
    """
    bars = f"Bars: 95 % intervals over {interval_sources(view)}."
    figure, ax = wide_panel(title=f"{finding(view)}, run {view.run}", caption=f"{bars}\n{CAPTION}")
    sized = [subject for subject in view.subjects if subject.size() is not None]
    line = frontier([_place(subject) for subject in sized])
    many = len(view.students) > MOST_PANELS
    named = [s for s in view.students if not many or _place(s) in line]
    others = [s for s in view.students if s not in named]
    places = dict(zip(map(id, sized), side_by_side([_place(s)[0] for s in sized]), strict=True))
    for subject in others:
        _point(ax, subject, places[id(subject)], f"{counted(len(others), 'other set')}", OTHERS)
    for k, subject in enumerate(named):
        _point(ax, subject, places[id(subject)], subject.name, line_look(k) | {"markerfacecolor": "none"})
    if view.teacher in sized:
        look = {"color": GREY, "marker": "P"}
        _point(ax, view.teacher, places[id(view.teacher)], f"teacher ({view.teacher.model})", look)
    elif view.teacher:
        accuracy = view.teacher.score("accuracy")[0]
        ax.axhline(accuracy, color=GREY, linestyle="--", label="teacher, of unknown size")
    _line(ax, line, max(_place(subject)[0] for subject in sized))
    _size_axis(ax)
    percent_ticks(ax.yaxis)
    ax.set_ylabel(f"test accuracy ({size_of_test(view)})")
    ax.margins(0.08)
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    legend(figure, list(by_label.values()), list(by_label), COLUMNS)
    return figure


def finding(view: View) -> str:
    """Name the smallest students that are nearly as accurate as the best ones, and their bytes."""
    enough = max(accuracy for _, accuracy in map(_place, view.students)) - NEARLY
    good = [subject for subject in view.students if _place(subject)[1] >= enough]
    smallest = min(good, key=lambda subject: (_place(subject)[0], -_place(subject)[1]))
    size = _place(smallest)[0]
    students = f"The smallest students within half a point of the best, {smallest.name},"
    of_teacher = view.teacher and view.teacher.size()
    share = f": {ratio(size / of_teacher)} of the teacher's" if of_teacher else ""
    return f"{students} take {readable_size(size)}{share}"


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the (size, accuracy) pairs that none of at most the same size matches in accuracy, by size."""
    kept: list[tuple[float, float]] = []
    for size, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or accuracy > kept[-1][1]:
            kept.append((size, accuracy))
    return kept


def _place(subject: Subject) -> tuple[float, float]:
    return subject.size() or 0.0, subject.score("accuracy")[0]


def _point(ax: Axes, subject: Subject, x: float, label: str, look: dict[str, Any]) -> None:
    y, low, high = subject.score("accuracy")
    look = {"markersize": 8, "mew": 1.6, "capsize": 3} | look | {"linestyle": "none"}
    ax.errorbar([x], [y], yerr=[[y - low], [high - y]], label=label, **look)


def _line(ax: Axes, points: Sequence[tuple[float, float]], largest: float) -> None:
    sizes, accuracies = zip(*points, strict=True)
    steps = [*sizes, largest], [*accuracies, accuracies[-1]]
    ax.plot(*steps, drawstyle="steps-post", color=GREY, linewidth=1, zorder=1)


def _size_axis(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=STEPS if high < FEW * low else STEPS[:1]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: readable_size(size)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("size of the model (bytes of its numbers)")


SEE = (
    "Good models are up and to the left: accurate and small. Each corner of the stepped line is the "
    "most accurate model of at most that size. Where the line is nearly flat, a larger model buys "
    "little accuracy."
)

FIGURE = FigureKind("test accuracy of students and teacher against their size", SEE, draw, obstacle)
