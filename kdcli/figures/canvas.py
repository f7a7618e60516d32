"""The look that all figures share: sizes, colours and lines that survive colour blindness and grey print."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Colours of Okabe and Ito's palette, apart in hue for every common kind of colour vision; the first two
# are far apart in lightness as well, for grey print.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREY = "0.35"
GREEN, VERMILION, SKY, PURPLE, YELLOW = "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442"
COLORS = (ORANGE, GREEN, BLUE, VERMILION, SKY)  # of lines on one panel
MARKERS = "os^Dv*"
CLASS_COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW)
CLASS_MARKERS = "o^sDvP*X"
DASHES = ("-", "--", "-.", ":")
PROBABILITY = "cividis"  # even in lightness, and alike with and without colour blindness

COLUMNS = 4

# Sizes in inches. The margins are fixed rather than fitted: fitting them draws every figure twice.
WIDTH, HEIGHT = 2.75, 2.3  # of one panel
LEFT, RIGHT, TOP, BOTTOM = 0.85, 0.25, 0.95, 0.95  # BOTTOM without the caption
BARE_TOP = 0.55  # of panels without titles of their own
LINE, CAPTION_LINE, TITLE_LINE = 0.18, 0.16, 0.2
TITLE_MARGIN = 0.3  # on both sides of a title
LEGEND_COLUMNS, LEGEND_ROW = 4, 0.22
BETWEEN_COLUMNS, BETWEEN_ROWS = 0.8, 1.0
CHARACTERS = 30  # that have room below a panel

UNBROKEN = re.compile(r" (?=[=%])|(?<==) ")  # spaces at which a title is not broken: "T = 4", "95 %"


def line_look(k: int) -> dict[str, Any]:
    """Return colour, marker and dashes of the kth line on a panel: no two of sixty lines look alike."""
    return {
        "color": COLORS[k % len(COLORS)],
        "marker": MARKERS[k % len(MARKERS)],
        "linestyle": DASHES[k % len(DASHES)],
    }


def class_look(k: int) -> dict[str, str]:
    """Return colour and marker of the kth class: no two of 56 classes look alike."""
    return {"color": CLASS_COLORS[k % len(CLASS_COLORS)], "marker": CLASS_MARKERS[k % len(CLASS_MARKERS)]}


def panels(
    count: int,
    *,
    title: str,
    caption: str,
    right: float = RIGHT,
    height: float = HEIGHT,
    shared: bool = True,
    least: int = 3,
    between: float = BETWEEN_COLUMNS,
    entries: int = 1,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels in rows of at most COLUMNS, with a title and a caption below.

    In inches, `right` is the margin on that side, `height` that of a panel, and `between` the room between
    columns. There are at `least` so many columns, for the caption's sake. The vertical axes have one scale
    if they are `shared`. There is room for a legend of so many `entries`.
    """
    rows = math.ceil(count / COLUMNS)
    columns = max(least, math.ceil(count / rows))
    width = LEFT + columns * WIDTH + (columns - 1) * between + right
    (title, top), bottom = _headed(title, width, TOP), _bottom(caption, entries)
    whole = top + rows * height + (rows - 1) * BETWEEN_ROWS + bottom
    figure = _figure(width, whole, title, caption)
    grid = figure.add_gridspec(
        rows,
        columns,
        left=LEFT / width,
        right=1 - right / width,
        top=1 - top / whole,
        bottom=bottom / whole,
        wspace=between / WIDTH,
        hspace=BETWEEN_ROWS / height,
    )
    axes: list[Axes] = []
    first = (columns - count) // 2 if rows == 1 else 0  # a single panel stands in the middle
    for k in range(first, first + count):
        like = axes[0] if axes and shared else None
        axes.append(figure.add_subplot(grid[k // columns, k % columns], sharey=like))
    return figure, axes


def square_panels(
    count: int,
    *,
    title: str,
    caption: str,
    right: float = 1.1,
    least: int = 3,
    between: float = BETWEEN_COLUMNS,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels for matrices, with room for a colour bar at the right."""
    shape: dict[str, Any] = {"right": right, "height": WIDTH, "between": between}
    return panels(count, title=title, caption=caption, shared=False, least=least, **shape)


def beside(figure: Figure) -> Axes:
    """Make room for a colour bar at the right edge of the panels, as high as the first row."""
    box = figure.axes[0].get_position()
    width = figure.get_figwidth()
    return figure.add_axes((1 - 0.85 / width, box.y0, 0.16 / width, box.height), label="<colorbar>")


def wide_panel(
    *, title: str, caption: str, entries: int, columns: int = LEGEND_COLUMNS
) -> tuple[Figure, Axes]:
    """Make a figure of one wide panel, with a title, room for so many legend entries, and a caption."""
    width, left = 10.0, 1.0
    (title, top), bottom = _headed(title, width), _bottom(caption, entries, columns)
    height = top + 3.55 + bottom
    figure = _figure(width, height, title, caption)
    box = (left / width, bottom / height, 1 - (left + RIGHT) / width, 1 - (top + bottom) / height)
    return figure, figure.add_axes(box)


def abreast(count: int, *, title: str, caption: str, entries: int) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels beside each other, with room for so many legend entries."""
    return _row(
        count, 4.6, 3.4, _bottom(caption, entries), left=0.9, between=0.9, title=title, caption=caption
    )


def rows(
    count: int,
    lines: int,
    *,
    title: str,
    caption: str,
    axis_lines: int = 1,
    line: float = 0.26,
    entries: int = 1,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels beside each other, with so many named lines on their shared left.

    A `line` is so high, in inches. The labels of the horizontal axes have `axis_lines`. There is room for a
    line of text above the panels, and for a legend of so many `entries`.
    """
    height, bottom = max(1.2, line * lines), _bottom(caption, entries) + LINE * (axis_lines - 1)
    shape: dict[str, Any] = {"left": 2.9, "between": 0.25, "top": BARE_TOP + LINE}
    figure, axes = _row(count, 3.6, height, bottom, **shape, title=title, caption=caption)
    for ax in axes[1:]:
        ax.sharey(axes[0])
    return figure, axes


def _row(
    count: int,
    width: float,
    height: float,
    bottom: float,
    *,
    left: float,
    between: float,
    title: str,
    caption: str,
    top: float = BARE_TOP,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of one row of panels of this width and height, with these margins, in inches."""
    whole = left + count * width + (count - 1) * between + RIGHT
    title, top = _headed(title, whole, top)
    high = top + height + bottom
    figure = _figure(whole, high, title, caption)
    return figure, [
        figure.add_axes(((left + k * (width + between)) / whole, bottom / high, width / whole, height / high))
        for k in range(count)
    ]


def _bottom(caption: str, entries: int = 1, columns: int = LEGEND_COLUMNS) -> float:
    """Room below the panels for their axis, a legend of so many entries and the caption, in inches."""
    legend_rows = math.ceil(entries / columns)
    return BOTTOM + LEGEND_ROW * (legend_rows - 1) + CAPTION_LINE * (caption.count("\n") + 1)


def _figure(width: float, height: float, title: str, caption: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120)
    place = {"y": 1 - 0.12 / height, "va": "top"}
    figure.suptitle(title, fontweight="bold", parse_math=False, **place)  # names may hold a "$"
    figure.text(0.5, 0.1 / height, caption, ha="center", va="bottom", fontsize="small", color=GREY)
    return figure


def _headed(title: str, width: float, margin: float = BARE_TOP) -> tuple[str, float]:
    """Break a title into lines, and return it with a margin that has room for more than one, in inches."""
    title = wrapped(title, width)
    return title, margin + TITLE_LINE * title.count("\n")


def wrapped(title: str, width: float) -> str:
    """Break a title into the fewest lines that fit a figure's width in inches, of about the same length."""
    room = width - 2 * TITLE_MARGIN
    unbroken = UNBROKEN.sub("\N{NO-BREAK SPACE}", title).split(" ")
    words = [piece for word in unbroken for piece in _pieces(word, room)]
    lines = _filled(words, room)
    for share in range(1, 20):
        narrower = _filled(words, room * (1 - 0.025 * share))
        if len(narrower) > len(lines):
            break
        lines = narrower
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def _pieces(word: str, room: float) -> list[str]:
    """Cut a word, such as a long name, into pieces that fit."""
    if _title_width(word) <= room:
        return [word]
    middle = len(word) // 2
    return [*_pieces(word[:middle], room), *_pieces(word[middle:], room)]


def _filled(words: Sequence[str], room: float) -> list[str]:
    """Put as many words on each line as fit."""
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        lines = [*lines[:-1], longer] if _title_width(longer) <= room else [*lines, word]
    return lines


@cache
def _title_width(line: str) -> float:
    """Return the width of a line of a title in inches."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=rcParams["figure.titlesize"], weight="bold")
    points, _, _ = text_to_path.get_text_width_height_descent(line, font, ismath=False)
    return float(points) / 72


def percent_ticks(*axes: Axis) -> None:
    """Write the ticks of axes of shares in percent, with as many digits as they need."""
    from matplotlib.ticker import FuncFormatter

    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g}%"))


def class_ticks(names: Sequence[str]) -> dict[int, str]:
    """Return the classes, by their index, that have room for their names along an axis: all, or every kth."""
    step = math.ceil(sum(len(name) + 1 for name in names) / CHARACTERS)
    return dict(list(enumerate(names))[::step])


def legend(
    figure: Figure, handles: Sequence[Artist], labels: Sequence[str], columns: int = LEGEND_COLUMNS
) -> None:
    """Put a legend between the panels and the caption, which is the last text of the figure."""
    lines = figure.texts[-1].get_text().count("\n") + 1
    place = (0.5, (0.15 + CAPTION_LINE * lines) / figure.get_figheight())
    figure.legend(
        handles,
        labels,
        loc="lower center",
        bbox_to_anchor=place,
        ncols=min(len(labels), columns),
        frameon=False,
    )
