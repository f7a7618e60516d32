"""The look that all figures share: sizes, colours and lines that survive colour blindness and grey print."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Two colours of Okabe and Ito's palette: apart in hue for every common kind of colour vision, and
# apart in lightness in grey print.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREY = "0.35"
PROBABILITY = "cividis"  # even in lightness, and alike with and without colour blindness

PANEL = (3.1, 2.75)  # inches
COLUMNS = 4


def panels(count: int, *, title: str, caption: str, **subplots: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels in rows of at most COLUMNS, with a title and a caption below.

    Spare places at the end of the grid are left blank. Returns the figure and the axes in use.
    """
    from matplotlib.figure import Figure

    rows = math.ceil(count / COLUMNS)
    columns = math.ceil(count / rows)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 1.1), dpi=120, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **subplots)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    figure.suptitle(title, fontweight="bold")
    figure.supxlabel(caption, fontsize="small", color=GREY)
    return figure, axes[:count]
