"""The look that all figures share: sizes, colours and lines that survive colour blindness and grey print."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of Okabe and Ito's palette, apart in hue for every common kind of colour vision; the first two
# are far apart in lightness as well, for grey print.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREY = "0.35"
GREEN = "#009E73"
VERMILLION = "#D55E00"
SKY = "#56B4E9"

# Lines on one panel differ in colour, marker and dashes at once.
LINES: tuple[dict[str, Any], ...] = (
    {"color": ORANGE, "marker": "o", "linestyle": "-"},
    {"color": GREEN, "marker": "s", "linestyle": "--"},
    {"color": BLUE, "marker": "^", "linestyle": "-"},
    {"color": VERMILLION, "marker": "D", "linestyle": ":"},
    {"color": SKY, "marker": "v", "linestyle": "-."},
)
PROBABILITY = "cividis"  # even in lightness, and alike with and without colour blindness

COLUMNS = 4

# Sizes in inches. The margins are fixed rather than fitted: fitting them draws every figure twice.
WIDTH, HEIGHT = 2.75, 2.3  # of one panel
LEFT, RIGHT, TOP, BOTTOM = 0.75, 0.25, 0.95, 1.45
BETWEEN_COLUMNS, BETWEEN_ROWS = 0.7, 1.0


def panels(count: int, *, title: str, caption: str, right: float = RIGHT) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels in rows of at most COLUMNS, with a title and a caption below.

    All panels share the scale of their vertical axes. `right` is the margin on that side, in inches.
    """
    rows = math.ceil(count / COLUMNS)
    columns = max(3, math.ceil(count / rows))  # no fewer, for the caption's sake
    width = LEFT + columns * WIDTH + (columns - 1) * BETWEEN_COLUMNS + right
    height = TOP + rows * HEIGHT + (rows - 1) * BETWEEN_ROWS + BOTTOM
    figure = _figure(width, height, title, caption)
    grid = figure.add_gridspec(
        rows,
        columns,
        left=LEFT / width,
        right=1 - right / width,
        top=1 - TOP / height,
        bottom=BOTTOM / height,
        wspace=BETWEEN_COLUMNS / WIDTH,
        hspace=BETWEEN_ROWS / HEIGHT,
    )
    axes: list[Axes] = []
    first = (columns - count) // 2 if rows == 1 else 0  # a single panel stands in the middle
    for k in range(first, first + count):
        axes.append(figure.add_subplot(grid[k // columns, k % columns], sharey=axes[0] if axes else None))
    return figure, axes


def wide_panel(*, title: str, caption: str) -> tuple[Figure, Axes]:
    """Make a figure of one panel, as wide as a row of three, with a title and a caption below."""
    width, height, left, top = 10.0, 5.6, 1.0, 0.55  # no title of its own over the panel
    figure = _figure(width, height, title, caption)
    box = (left / width, BOTTOM / height, 1 - (left + RIGHT) / width, 1 - (top + BOTTOM) / height)
    return figure, figure.add_axes(box)


def _figure(width: float, height: float, title: str, caption: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120)
    figure.suptitle(title, y=1 - 0.12 / height, va="top", fontweight="bold")
    figure.text(0.5, 0.1 / height, caption, ha="center", va="bottom", fontsize="small", color=GREY)
    return figure


def legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Put a legend between the panels and the caption."""
    place = (0.5, 0.6 / figure.get_figheight())
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=place, ncols=len(labels), frameon=False)
