"""The canvas of all figures: sizes and places of panels, title and caption."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from kdcli.figures.looks import GREY
from kdcli.figures.wrapping import BOLD, MEDIUM, SMALL, TITLE, Font, paragraphs, text_width, wrapped
from kdcli.words import counted

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOR_BAR = "<colorbar>"  # label of its axes

COLUMNS = 3  # of panels: with more, texts are too small to read on a page

# Sizes in inches. The margins are fixed rather than fitted: fitting them draws every figure twice.
WIDTH, HEIGHT = 2.52, 2.2  # of one panel; at 2.5, rounding decides how many ticks there is room for
ABREAST = 3.4  # width of a panel of few
WIDE = 8.4  # width of a figure of a single one
LEFT, RIGHT, TOP, BOTTOM = 0.85, 0.25, 0.95, 0.95  # BOTTOM without the caption
BARE_TOP = 0.55  # of panels without titles of their own
LINE, CAPTION_LINE, TITLE_LINE = 0.18, 0.16, 0.2
TITLE_MARGIN = 0.3  # on both sides of a title and of a caption
MEASURE = 7.2  # of a caption: longer lines are hard to follow
LEAST = 2  # columns that have room, for the sake of title and caption
PANEL_TITLE_LINES = 2  # that have room above every panel
NAME_LINE = 0.2  # of further lines of a panel's title, and of names of rows and in legends
ROW_WIDTH = 3.0  # of a panel of rows, beside others
NAMES_ROOM, NAMES_MARGIN = 2.1, 0.5  # to the left of rows, for their names and for the label of the axis
BETWEEN_COLUMNS, BETWEEN_ROWS = 0.8, 1.0
BETWEEN_SHARING = 0.4  # columns of which the first one alone has ticks with numbers
OVERHANG = 0.17  # of a panel's title on both sides


def panels(
    titles: Sequence[str],
    *,
    title: str,
    caption: str,
    right: float = RIGHT,
    height: float = HEIGHT,
    shared: bool = True,
    between: float | None = None,
    font: Font = MEDIUM,
    tick_lines: int = 1,
) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels of these `titles` in rows of at most COLUMNS, and a caption below.

    In inches, `right` is the margin on that side, `height` that of a panel, and `between` the room between
    columns. The vertical axes have one scale if they are `shared`, and those on the left alone its numbers.
    The `font` is that of the panels' titles. The horizontal axes' ticks have `tick_lines`.
    """
    between = between or (BETWEEN_SHARING if shared else BETWEEN_COLUMNS)
    titles = [wrapped(name, WIDTH + 2 * OVERHANG, font) for name in titles]
    further = NAME_LINE * max(0, *(name.count("\n") + 1 - PANEL_TITLE_LINES for name in titles))
    below = LINE * (tick_lines - 1)
    rows = math.ceil(len(titles) / COLUMNS)
    columns = math.ceil(len(titles) / rows)
    aside = max(0, LEAST - columns) * (WIDTH + between) / 2  # of a single panel, for title and caption
    width = LEFT + columns * WIDTH + (columns - 1) * between + right + 2 * aside
    top, bottom = _top(title, width, TOP + further), _bottom(caption, width) + below
    whole = top + rows * height + (rows - 1) * (BETWEEN_ROWS + further + below) + bottom
    figure = _figure(width, whole, title, caption)
    sides = {"left": (LEFT + aside) / width, "right": 1 - (right + aside) / width}
    heights = {"top": 1 - top / whole, "bottom": bottom / whole}
    distance = {"wspace": between / WIDTH, "hspace": (BETWEEN_ROWS + further + below) / height}
    grid = figure.add_gridspec(rows, columns, **sides, **heights, **distance)
    axes: list[Axes] = []
    for k, name in enumerate(titles):
        axes.append(figure.add_subplot(grid[k], sharey=axes[0] if axes and shared else None))
        axes[-1].set_title(name, fontsize=font.size, parse_math=False)
    if shared:
        _hide_inner_numbers(axes, columns)
    return figure, axes


def _hide_inner_numbers(axes: Sequence[Axes], columns: int) -> None:
    """Leave numbers and label of the vertical axis to the first panel of each row."""
    for k, ax in enumerate(axes):
        if k % columns:
            ax.tick_params("y", labelleft=False)
            ax.yaxis.label.set_visible(False)


def square_panels(
    titles: Sequence[str],
    *,
    title: str,
    caption: str,
    right: float = 1.1,
    between: float = BETWEEN_COLUMNS,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels with these titles for matrices, with room for a colour bar at the right."""
    shape: dict[str, Any] = {"right": right, "height": WIDTH, "between": between}
    return panels(titles, title=title, caption=caption, shared=False, **shape)


def beside(figure: Figure) -> Axes:
    """Make room for a colour bar at the right edge of the panels, as high as the first row."""
    box, width = figure.axes[0].get_position(), figure.get_figwidth()
    edge = max(ax.get_position().x1 for ax in figure.axes)
    return figure.add_axes((edge + 0.25 / width, box.y0, 0.16 / width, box.height), label=COLOR_BAR)


def wide_panel(*, title: str, caption: str) -> tuple[Figure, Axes]:
    """Make a figure of one wide panel, with a title and a caption."""
    left = 1.0
    top, bottom = _top(title, WIDE), _bottom(caption, WIDE)
    height = top + 3.4 + bottom
    figure = _figure(WIDE, height, title, caption)
    box = (left / WIDE, bottom / height, 1 - (left + RIGHT) / WIDE, 1 - (top + bottom) / height)
    return figure, figure.add_axes(box)


def abreast(count: int, *, title: str, caption: str, tick_lines: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels beside each other, with `tick_lines` of ticks of horizontal axes."""
    more = LINE * (tick_lines - 1)
    return _row(count, ABREAST, 3.0, more, left=0.9, between=0.9, title=title, caption=caption)


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
    height, more = max(1.2, line * sum(heights)), LINE * (axis_lines - 1)
    longest = max(text_width(part, BOLD) for name in names for part in name.split("\n"))
    shape: dict[str, Any] = {"left": longest + NAMES_MARGIN, "between": 0.3, "top": BARE_TOP + LINE}
    width = ROW_WIDTH if count > 1 else 1.5 * ROW_WIDTH
    figure, axes = _row(count, width, height, more, **shape, title=title, caption=caption)
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
    more: float,
    *,
    left: float,
    between: float,
    title: str,
    caption: str,
    top: float = BARE_TOP,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of one row of panels of this width and height, with these margins, in inches.

    There is so much `more` room below the panels.
    """
    whole = left + count * width + (count - 1) * between + RIGHT
    bottom = _bottom(caption, whole) + more
    high = _top(title, whole, top) + height + bottom
    figure = _figure(whole, high, title, caption)
    return figure, [
        figure.add_axes(((left + k * (width + between)) / whole, bottom / high, width / whole, height / high))
        for k in range(count)
    ]


def under(figure: Figure, ax: Axes, share: float, gap: float) -> Axes:
    """Divide a panel: make one below it, with the same horizontal axis.

    It takes this `share` of the height, and there is a `gap` of so many inches. Ticks of the horizontal axis
    are on the lower one alone.
    """
    box = ax.get_position()
    between = gap / figure.get_figheight()
    low = share * (box.height - between)
    ax.set_position((box.x0, box.y0 + low + between, box.width, box.height - low - between))
    lower: Axes = figure.add_axes((box.x0, box.y0, box.width, low), sharex=ax)
    ax.tick_params("x", labelbottom=False)
    ax.xaxis.label.set_visible(False)
    lower.tick_params("y", labelleft=ax.yaxis.label.get_visible())
    lower.yaxis.label.set_visible(ax.yaxis.label.get_visible())
    return lower


def _bottom(caption: str, width: float) -> float:
    """Room below the panels for their axis, a row of a legend and the caption, in inches."""
    return BOTTOM + CAPTION_LINE * (_caption_lines(caption, width).count("\n") + 1)


def _figure(width: float, height: float, title: str, caption: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120)
    figure.set_label(title)
    place = {"y": 1 - 0.12 / height, "va": "top"}
    # Names may hold a "$".
    look: dict[str, Any] = {"fontsize": TITLE.size, "fontweight": TITLE.weight, "parse_math": False}
    figure.suptitle(_title_lines(title, width), **look, **place)
    lines = _caption_lines(caption, width)
    figure.text(
        0.5, 0.1 / height, lines, ha="center", va="bottom", fontsize=SMALL.size, color=GREY, parse_math=False
    )
    return figure


def title_of(figure: Figure) -> str:
    """Return the title of a figure, which tells its finding, in one line."""
    return str(figure.get_label())


def described(figure: Figure) -> str:
    """Describe a figure for readers who cannot see it: its title, and what its panels show."""
    panels: Counter[str] = Counter()
    across = up = ""
    for ax in figure.axes:
        if ax.get_label() == COLOR_BAR:
            continue
        # Panels in a row have the labels of the first one.
        across, up = (_in_one_line(ax.get_xlabel()) or across, _in_one_line(ax.get_ylabel()) or up)
        panels[f"{up} against {across}"] += 1
    told = "; ".join(f"{counted(count, 'panel')} of {axes}" for axes, count in panels.items())
    return f"{title_of(figure)}. {told}."


def _in_one_line(label: str) -> str:
    return " ".join(label.split())


def _title_lines(title: str, width: float) -> str:
    return wrapped(title, width - 2 * TITLE_MARGIN, TITLE, sentence=True)


def _caption_lines(caption: str, width: float) -> str:
    return paragraphs(caption, min(MEASURE, width - 2 * TITLE_MARGIN), SMALL)


def _top(title: str, width: float, margin: float = BARE_TOP) -> float:
    """Return the margin above the panels, which has room for all lines of a title, in inches."""
    return margin + TITLE_LINE * _title_lines(title, width).count("\n")
