from collections.abc import Callable

import pytest
from figures.views import laid_out
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdcli.figures.canvas import (
    LEFT,
    TITLE_MARGIN,
    beside,
    described,
    panels,
    rows,
    title_of,
    under,
    wide_panel,
)


def test_rows_go_down_by_one_and_by_more_where_names_take_several_lines() -> None:
    figure, (ax,) = rows(1, ["a", "b", "c"], title="title", caption="caption")
    assert ax.get_yticks().tolist() == [0, -1, -2]
    taller, (ax,) = rows(1, ["a", "b, " * 80, "c"], title="title", caption="caption")
    first, second, third = ax.get_yticks()
    assert first == 0
    assert first - second == pytest.approx(second - third)
    assert second - third > 1
    assert taller.get_figheight() > figure.get_figheight()
    assert [label.get_text().count("\n") > 0 for label in ax.get_yticklabels()] == [False, True, False]


def test_panels_with_higher_titles_are_as_high_as_others() -> None:
    (low, few), (high, many) = (panels([name] * 5, title="title", caption="") for name in ("a", NAME * 2))
    assert high.get_figheight() > low.get_figheight()
    for ax, other in zip(few, many, strict=True):
        assert laid_out(high) is high
        assert other.bbox.bounds[2:] == pytest.approx(ax.bbox.bounds[2:])


NAME = "soft (tree:max_depth=12, n = 400 + munge:3, labels from = teacher)"
LONG = "Students that agree more with their teacher are " * 4
MAKERS: list[Callable[[str], tuple[Figure, list[Axes]]]] = [
    lambda title: panels([""] * 5, title=title, caption="caption"),
    lambda title: rows(2, list("abcd"), title=title, caption="caption"),
    lambda title: (lambda figure, ax: (figure, [ax]))(*wide_panel(title=title, caption="caption")),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("title", ["Short", LONG, f"run {'W' * 100}", r"no $\formula$"])
def test_no_title_is_cut_and_panels_leave_it_room(
    make: Callable[[str], tuple[Figure, list[Axes]]], title: str
) -> None:
    figure, axes = make(title)
    axes[0].set_title("two lines\nabove a panel")
    (drawn,) = [text for text in laid_out(figure).texts if text.get_text() == figure.get_suptitle()]
    box = drawn.get_window_extent()
    margin = TITLE_MARGIN * figure.dpi / 2
    assert box.x0 >= margin
    assert box.x1 <= figure.bbox.x1 - margin
    assert box.y1 <= figure.bbox.y1
    assert box.y0 >= axes[-1].bbox.y1


def test_the_title_can_be_read_in_one_line_as_it_was_given() -> None:
    title = f"{LONG}, run {'W' * 100}"
    figure, _ = panels([""] * 3, title=title, caption="caption")
    assert "\n" in figure.get_suptitle()
    assert title_of(figure) == title


def test_the_description_tells_the_title_and_the_axes_of_the_panels() -> None:
    figure, axes = panels(["a", "b", "c"], title="Soft targets help", caption="caption")
    for ax, across in zip(axes, ("epoch", "epoch", "T"), strict=True):
        ax.set_xlabel(across)
    axes[0].set_ylabel("loss\n(nats)")
    beside(figure)
    assert described(figure) == (
        "Soft targets help. 2 panels of loss (nats) against epoch; 1 panel of loss (nats) against T."
    )


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (7, 3), (12, 3)])
def test_panels_stand_in_rows_that_fit_a_page_and_the_first_of_each_has_numbers(
    count: int, columns: int
) -> None:
    figure, axes = panels(["panel"] * count, title="title", caption="caption")
    for ax in axes:
        ax.plot([0, 1], [0, 1])
        ax.set_ylabel("loss")
    lefts = [round(ax.get_position().x0, 3) for ax in laid_out(figure).axes]
    assert len(set(lefts)) == columns
    assert figure.get_figwidth() <= 9.5
    assert len({tuple(ax.get_xticks()) for ax in axes}) == 1  # hiding numbers changes no ticks
    numbered = [ax.yaxis.label.get_visible() for ax in axes]
    assert numbered == [left == lefts[0] for left in lefts]
    assert numbered == [any(tick.label1.get_visible() for tick in ax.yaxis.get_major_ticks()) for ax in axes]


def test_a_single_panel_stands_in_the_middle_with_its_colour_bar_beside_it() -> None:
    figure, (ax,) = panels(["panel"], title="title", caption="caption", right=1.1)
    bar = beside(figure)
    laid_out(figure)
    left, right = ax.bbox.x0 / figure.dpi, (figure.bbox.x1 - ax.bbox.x1) / figure.dpi
    assert left - LEFT == pytest.approx(right - 1.1)
    assert left > LEFT + 1
    assert (bar.bbox.x0 - ax.bbox.x1) / figure.dpi == pytest.approx(0.25)
    assert bar.bbox.height == pytest.approx(ax.bbox.height)


def test_a_long_caption_is_broken_into_lines_that_have_room() -> None:
    text = "Bars: 95 % intervals over ten draws of the data. " * 12
    figure, (ax,) = panels(["panel"], title="title", caption=text)
    box = laid_out(figure).texts[-1].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= 0
    assert box.y1 < ax.get_tightbbox().y0


def test_a_panel_under_another_shares_its_horizontal_axis() -> None:
    figure, axes = panels(["a", "b"], title="title", caption="caption", height=3.0)
    lower = [under(figure, ax, 0.4, 0.2) for ax in axes]
    for ax, below in zip(axes, lower, strict=True):
        ax.set_xlim(0, 7)
        assert below.get_xlim() == (0, 7)
        assert not ax.xaxis.label.get_visible()
    laid_out(figure)
    top, bottom = axes[0].bbox, lower[0].bbox
    assert (top.y0 - bottom.y1) / figure.dpi == pytest.approx(0.2)
    assert bottom.height / (top.height + bottom.height) == pytest.approx(0.4)
    assert (top.y1 - bottom.y0) / figure.dpi == pytest.approx(3.0)
    assert [below.yaxis.label.get_visible() for below in lower] == [True, False]
