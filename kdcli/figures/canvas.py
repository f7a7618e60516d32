"""The look that all figures share: sizes, colours and lines that survive colour blindness and grey print."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kdcli.figures.wrapping import BOLD, MEDIUM, TITLE, Font, text_width, wrapped

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

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
ABREAST = 4.6  # width of a panel of few
LEFT, RIGHT, TOP, BOTTOM = 0.85, 0.25, 0.95, 0.95  # BOTTOM without the caption
BARE_TOP = 0.55  # of panels without titles of their own
LINE, CAPTION_LINE, TITLE_LINE = 0.18, 0.16, 0.2
TITLE_MARGIN = 0.3  # on both sides of a title
PANEL_TITLE_LINES = 2  # that have room above every panel
NAME_LINE = 0.2  # of further lines of a panel's title, and of names of rows and in legends
NAMES = 2.9  # to the left of rows, for their names and the label of the axis
NAMES_ROOM = 2.5  # of that for the names
LEGEND_COLUMNS, LEGEND_ROW = 4, 0.22
LEGEND_HANDLE, LEGEND_BETWEEN, LEGEND_MARGIN = 0.4, 0.28, 0.15
BETWEEN_COLUMNS, BETWEEN_ROWS = 0.8, 1.0
OVERHANG = 0.2  # of a panel's title on both sides
CHARACTERS = 30  # that have room below a panel


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
    titles: Sequence[str],
    *,
    title: str,
    caption: str,
    right: float = RIGHT,
    height: float = HEIGHT,
    shared: bool = True,
    least: int = 3,
    between: float = BETWEEN_COLUMNS,
    font: Font = MEDIUM,
    tick_lines: int = 1,
) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels of these `titles` in rows of at most COLUMNS, and a caption below.

    In inches, `right` is the margin on that side, `height` that of a panel, and `between` the room between
    columns. There are at `least` so many columns, for the caption's sake. The vertical axes have one scale
    if they are `shared`. The `font` is that of the panels' titles. The horizontal axes' ticks have
    `tick_lines`.
    """
    titles = [wrapped(name, WIDTH + 2 * OVERHANG, font) for name in titles]
    further = NAME_LINE * max(0, *(name.count("\n") + 1 - PANEL_TITLE_LINES for name in titles))
    below = LINE * (tick_lines - 1)
    rows = math.ceil(len(titles) / COLUMNS)
    columns = max(least, math.ceil(len(titles) / rows))
    width = LEFT + columns * WIDTH + (columns - 1) * between + right
    (title, top), bottom = _headed(title, width, TOP + further), _bottom(caption) + below
    whole = top + rows * height + (rows - 1) * (BETWEEN_ROWS + further + below) + bottom
    figure = _figure(width, whole, title, caption)
    sides = {"left": LEFT / width, "right": 1 - right / width}
    edges = {**sides, "top": 1 - top / whole, "bottom": bottom / whole}
    distance = {"wspace": between / WIDTH, "hspace": (BETWEEN_ROWS + further + below) / height}
    grid = figure.add_gridspec(rows, columns, **edges, **distance)
    first = (columns - len(titles)) // 2 if rows == 1 else 0  # a single panel stands in the middle
    axes: list[Axes] = []
    for k, name in enumerate(titles, first):
        axes.append(figure.add_subplot(grid[k], sharey=axes[0] if axes and shared else None))
        axes[-1].set_title(name, fontsize=font.size, parse_math=False)
    return figure, axes


def square_panels(
    titles: Sequence[str],
    *,
    title: str,
    caption: str,
    right: float = 1.1,
    least: int = 3,
    between: float = BETWEEN_COLUMNS,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels with these titles for matrices, with room for a colour bar at the right."""
    shape: dict[str, Any] = {"right": right, "height": WIDTH, "between": between}
    return panels(titles, title=title, caption=caption, shared=False, least=least, **shape)


def beside(figure: Figure) -> Axes:
    """Make room for a colour bar at the right edge of the panels, as high as the first row."""
    box = figure.axes[0].get_position()
    width = figure.get_figwidth()
    return figure.add_axes((1 - 0.85 / width, box.y0, 0.16 / width, box.height), label="<colorbar>")


def wide_panel(*, title: str, caption: str) -> tuple[Figure, Axes]:
    """Make a figure of one wide panel, with a title and a caption."""
    width, left = 10.0, 1.0
    (title, top), bottom = _headed(title, width), _bottom(caption)
    height = top + 3.55 + bottom
    figure = _figure(width, height, title, caption)
    box = (left / width, bottom / height, 1 - (left + RIGHT) / width, 1 - (top + bottom) / height)
    return figure, figure.add_axes(box)


def abreast(count: int, *, title: str, caption: str, tick_lines: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels beside each other, with `tick_lines` of ticks of horizontal axes."""
    bottom = _bottom(caption) + LINE * (tick_lines - 1)
    return _row(count, ABREAST, 3.4, bottom, left=0.9, between=0.9, title=title, caption=caption)


def rows(
    count: int,
    names: Sequence[str],
    *,
    title: str,
    caption: str,
    headings: Container[int] = (),
    axis_lines: int = 1,
    line: float = 0.26,
    edge: float = 0.2,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels beside each other, with rows of these names on their shared left.

    The vertical axis has a tick in the middle of each row. Its unit is the height of a row, a `line` in
    inches; rows are higher where a name takes several lines. Beyond the first and the last row it goes on by
    an `edge`. The rows at the indices of `headings` have bold names. The labels of the horizontal axes have
    `axis_lines`. There is room for a line of text above the panels.
    """
    names = [wrapped(name, NAMES_ROOM, BOLD if k in headings else MEDIUM) for k, name in enumerate(names)]
    heights = [max(1.0, NAME_LINE * (name.count("\n") + 1) / line) for name in names]
    height, bottom = max(1.2, line * sum(heights)), _bottom(caption) + LINE * (axis_lines - 1)
    shape: dict[str, Any] = {"left": NAMES, "between": 0.25, "top": BARE_TOP + LINE}
    figure, axes = _row(count, 3.6, height, bottom, **shape, title=title, caption=caption)
    for ax in axes[1:]:
        ax.sharey(axes[0])
    axes[0].set_yticks([0.5 - sum(heights[:k]) - own / 2 for k, own in enumerate(heights)], names)
    axes[0].set_ylim(0.5 - sum(heights) - edge, 0.5 + edge)
    for k, label in enumerate(axes[0].get_yticklabels()):
        label.set_fontweight("bold" if k in headings else "normal")
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


def _bottom(caption: str) -> float:
    """Room below the panels for their axis, a row of a legend and the caption, in inches."""
    return BOTTOM + CAPTION_LINE * (caption.count("\n") + 1)


def _figure(width: float, height: float, title: str, caption: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120)
    place = {"y": 1 - 0.12 / height, "va": "top"}
    # Names may hold a "$".
    figure.suptitle(title, fontsize=TITLE.size, fontweight=TITLE.weight, parse_math=False, **place)
    figure.text(0.5, 0.1 / height, caption, ha="center", va="bottom", fontsize="small", color=GREY)
    return figure


def _headed(title: str, width: float, margin: float = BARE_TOP) -> tuple[str, float]:
    """Break a title into lines, and return it with a margin that has room for more than one, in inches."""
    title = wrapped(title, width - 2 * TITLE_MARGIN, TITLE, sentence=True)
    return title, margin + TITLE_LINE * title.count("\n")


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
    figure: Figure, handles: Sequence[Artist], labels: Sequence[str], most: int = LEGEND_COLUMNS
) -> None:
    """Put a legend between the panels and the caption, which is the last text of the figure.

    It has at `most` so many columns, and fewer where labels are long. It makes room for its further rows.
    """
    labels, columns = _arranged(labels, figure.get_figwidth() - 2 * LEGEND_MARGIN, most)
    _deepen(figure, _legend_height(labels, columns) - LEGEND_ROW)
    lines = figure.texts[-1].get_text().count("\n") + 1
    place = (0.5, (0.15 + CAPTION_LINE * lines) / figure.get_figheight())
    made = figure.legend(
        handles, labels, loc="lower center", bbox_to_anchor=place, ncols=columns, frameon=False
    )
    box: Any = made.get_children()[0]
    box.get_children()[1].align = "top"  # else columns stand on the baseline of their first entries


def _arranged(labels: Sequence[str], room: float, most: int) -> tuple[Sequence[str], int]:
    """Return in how many columns labels fit into `room` inches, and the labels: in lines if two are many."""
    for columns in range(min(len(labels), most), 1, -1):
        widths = [max(map(text_width, column)) for column in _columns(labels, columns)]
        if sum(widths) + LEGEND_HANDLE * columns + LEGEND_BETWEEN * (columns - 1) <= room:
            return labels, columns
    columns = min(len(labels), 2)
    share = (room + LEGEND_BETWEEN) / columns - LEGEND_BETWEEN - LEGEND_HANDLE
    return [wrapped(label, share) for label in labels], columns


def _legend_height(labels: Sequence[str], columns: int) -> float:
    further = [sum(label.count("\n") for label in column) for column in _columns(labels, columns)]
    return LEGEND_ROW * math.ceil(len(labels) / columns) + NAME_LINE * max(further)


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
