"""Legends between the panels of a figure and its caption, for which they make room."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import CAPTION_LINE, NAME_LINE
from kdcli.figures.wrapping import text_width, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

COLUMNS, ROW = 4, 0.22
HANDLE, BETWEEN, MARGIN = 0.4, 0.28, 0.15  # inches


def legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str], most: int = COLUMNS) -> None:
    """Put a legend between the panels and the caption, which is the last text of the figure.

    It has at `most` so many columns, and fewer where labels are long. It makes room for its further rows.
    """
    labels, columns = _arranged(labels, figure.get_figwidth() - 2 * MARGIN, most)
    _deepen(figure, _legend_height(labels, columns) - ROW)
    lines = figure.texts[-1].get_text().count("\n") + 1
    place = (0.5, (0.15 + CAPTION_LINE * lines) / figure.get_figheight())
    made = figure.legend(
        handles, labels, loc="lower center", bbox_to_anchor=place, ncols=columns, frameon=False
    )
    box: Any = made.get_children()[0]
    box.get_children()[1].align = "top"  # else columns stand on the baseline of their first entries


def _arranged(labels: Sequence[str], room: float, most: int) -> tuple[Sequence[str], int]:
    """Return in how many columns labels fit into `room` inches, and the labels: in lines if two are many."""
    for most_columns in range(min(len(labels), most), 1, -1):
        columns = math.ceil(len(labels) / math.ceil(len(labels) / most_columns))  # as many in each as can be
        widths = [max(map(text_width, column)) for column in _columns(labels, columns)]
        if sum(widths) + HANDLE * columns + BETWEEN * (columns - 1) <= room:
            return labels, columns
    columns = min(len(labels), 2)
    share = (room + BETWEEN) / columns - BETWEEN - HANDLE
    return [wrapped(label, share) for label in labels], columns


def _legend_height(labels: Sequence[str], columns: int) -> float:
    further = [sum(label.count("\n") for label in column) for column in _columns(labels, columns)]
    return ROW * math.ceil(len(labels) / columns) + NAME_LINE * max(further)


def _columns(labels: Sequence[str], count: int) -> list[Sequence[str]]:
    """Divide labels among columns as matplotlib does: the first ones have one more where it is uneven."""
    short, longer = divmod(len(labels), count)
    starts = [short * k + min(k, longer) for k in range(count + 1)]
    return [labels[start:end] for start, end in pairwise(starts)]


def _deepen(figure: Figure, more: float) -> None:
    """Make a figure higher by so many inches, below its panels and above its caption."""
    before = figure.get_figheight()
    after = before + more
    figure.set_figheight(after)
    for ax in figure.axes:
        box = ax.get_position(original=True)
        ax.set_position((box.x0, (box.y0 * before + more) / after, box.width, box.height * before / after))
    *above, caption = figure.texts
    for text in above:
        text.set_y((text.get_position()[1] * before + more) / after)
    caption.set_y(caption.get_position()[1] * before / after)
