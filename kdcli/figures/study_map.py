"""A map of what a treatment gains over its control at each pair of values of two keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.figures.canvas import beside, wide_panel
from kdcli.figures.kind import StudyFigureKind
from kdcli.figures.study_axes import shortened_lines, spread_texts
from kdcli.figures.study_gains import (
    OVERESTIMATE,
    SpotGain,
    caption_of_gaps,
    caption_of_means,
    finding,
    gains,
    most_telling,
    points,
)
from kdcli.figures.wrapping import SMALL, text_width
from kdcli.words import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from kdcli.figures.study_view import StudyView
    from kdcli.figures.view import Array

MOST = 20  # values of a key that there is room for
COLORS = "PuOr"  # orange to violet: apart with all common kinds of colour vision
LEAST = 0.1  # points of accuracy that the scale spans on both sides, so that rounding has no strong colours
WIDE, HIGH = 6.25, 3.4  # inches of the map
LEFT, MOST_LEFT = 0.45, 1.6  # inches for the texts to the left of it, and the most that they may take
CHARACTER, LINE = 0.72, 0.6  # width of a character as a share of its size, and that size as one of a cell
LARGEST = 10.0  # size of a cell's text in points
DARK = 0.6  # of the scale, from which on numbers are white
BETTER, WORSE = "▲", "▼"


def obstacle(view: StudyView) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    varied = [key for key in view.keys if len(key.values) > 1]
    if len(varied) < 2:
        return "it needs two keys that vary"
    across = view.keys[view.across]
    if len(across.values) > MOST:
        return f"it has room for {MOST} values of a key, and {across.name} has {len(across.values)}"
    second = view.beside(MOST)
    if second is None:
        return f"it needs a second key with 2 to {MOST} values beside {across.name}"
    return "" if _gains(view, second) else "no student set is compared with a control in these runs"


def draw(view: StudyView) -> Figure:
    """Draw a cell for each pair of values, with the gain of the treatment that gains or loses most."""
    second = view.beside(MOST)
    if second is None:
        raise ValueError("`obstacle` says that there is no such figure")
    gained = _gains(view, second)
    title = f"{finding(view, gained, second)}, study {view.study}"
    figure, ax = wide_panel(title=title, caption=_caption(view, second, gained))
    values = _cells(view, second, gained)
    most = max(LEAST, max(abs(gain.gain) for gain in gained))
    image = _image(ax, values, most)
    room = _name_axes(figure, ax, view, second)
    rows, columns = values.shape
    for gain in gained:
        _write(ax, gain, (room / columns, HIGH / rows), most)
    figure.colorbar(image, cax=beside(figure), label="accuracy gain (percentage points)")
    return figure


def _gains(view: StudyView, second: int) -> list[SpotGain]:
    """Return the gains, at all pairs of values, of the treatment with the one that tells most."""
    placed = [gain for gain in gains(view, second) if gain.spot[1] is not None]
    telling = most_telling(placed)
    return [gain for gain in placed if telling and gain.treatment == telling.treatment]


def _cells(view: StudyView, second: int, gained: list[SpotGain]) -> Array:
    """Return the gains as a matrix, a row for each value of the second key; NaN where there is no run."""
    import numpy as np

    cells = np.full((len(view.keys[second].values), len(view.keys[view.across].values)), np.nan)
    for gain in gained:
        column, row = gain.spot
        cells[row, column] = gain.gain
    return cells


def _image(ax: Axes, cells: Array, most: float) -> AxesImage:
    ax.patch.set(hatch="///", edgecolor="0.75", facecolor="white")
    return ax.imshow(cells, cmap=COLORS, vmin=-most, vmax=most, aspect="auto", origin="lower")


def _write(ax: Axes, gain: SpotGain, cell: tuple[float, float], most: float) -> None:
    """Write a gain into its cell, of this width and height in inches, with a mark of its verdicts."""
    marks = [
        f"{mark}{count if gain.runs > 1 else ''}"
        for mark, count in ((BETTER, gain.better), (WORSE, gain.worse))
        if count
    ]
    plus = "+" if gain.gain > 0 and points(gain.gain).strip("0.") else ""
    text = " ".join([plus + points(gain.gain), *marks])
    color = "white" if abs(gain.gain) > DARK * most else "black"
    width, height = cell
    size = min(LARGEST, 72 * width / (CHARACTER * len(text)), 72 * LINE * height)
    weight = "bold" if marks else "normal"
    place = (gain.spot[0], float(gain.spot[1] or 0))
    ax.text(*place, text, ha="center", va="center", fontsize=size, color=color, fontweight=weight)


def _name_axes(figure: Figure, ax: Axes, view: StudyView, second: int) -> float:
    """Name the axes, and make room for the names on the left and the colour bar; returns the map's width."""
    across, other = view.keys[view.across], view.keys[second]
    names = [shortened_lines(text, MOST_LEFT) for text in other.texts]
    further = max(text_width(line, SMALL) for name in names for line in name.split("\n")) - LEFT
    room, box, width = WIDE - max(0.0, further), ax.get_position(), figure.get_figwidth()
    ax.set_position((box.x0 + (WIDE - room) / width, box.y0, room / width, box.height))
    ticks = spread_texts(across.texts, room)
    ax.set_xticks(list(ticks), list(ticks.values()), fontsize=SMALL.size, parse_math=False)
    ax.set_yticks(range(len(names)), names, fontsize=SMALL.size, parse_math=False)
    ax.set_xlabel(across.label, parse_math=False)
    ax.set_ylabel(other.label, parse_math=False)
    return room


def _caption(view: StudyView, second: int, gained: list[SpotGain]) -> str:
    marks = [
        f"{mark} {word} than the control"
        for mark, word, count in (
            (BETTER, "better", sum(gain.better for gain in gained)),
            (WORSE, "worse", sum(gain.worse for gain in gained)),
        )
        if count
    ]
    several = ", in so many runs of the cell" if any(gain.runs > 1 for gain in gained) else ""
    control = view.control_of.get(gained[0].treatment, "its control")
    texts = [
        f"Numbers: what {gained[0].treatment} gains over {control} in test accuracy, in percentage points.",
        f"{listed(marks, 'or')}{several}, by verdicts that are corrected for all comparisons of the study."
        if marks
        else "No verdict confirms a difference (corrected for all comparisons of the study).",
        caption_of_means(view, second, "Each cell", ""),
        caption_of_gaps(view),
        "Hatched: no results." if len(gained) < _size(view, second) else "",
        OVERESTIMATE,
    ]
    return " ".join(filter(None, texts))


def _size(view: StudyView, second: int) -> int:
    return len(view.keys[view.across].values) * len(view.keys[second].values)


SEE = (
    "Each cell is one pair of settings, and its number is what distillation gains there in accuracy. "
    "Violet cells gain and orange cells lose. Trust the cells with a triangle: there the difference is "
    "statistically confirmed."
)

FIGURE = StudyFigureKind(
    "what a treatment gains over its control at each pair of values of two keys", SEE, draw, obstacle
)
