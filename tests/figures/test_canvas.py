from collections.abc import Callable
from itertools import pairwise

import pytest
from figures.views import laid_out
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdcli.figures.canvas import (
    CHARACTERS,
    TITLE_MARGIN,
    beside,
    class_look,
    class_ticks,
    described,
    line_look,
    panels,
    percent_ticks,
    rows,
    title_of,
    wide_panel,
)


@pytest.mark.parametrize(("n_classes", "shown"), [(2, 2), (10, 10), (26, 9), (47, 10), (62, 11)])
def test_names_of_many_classes_have_room(n_classes: int, shown: int) -> None:
    ticks = class_ticks([str(k) for k in range(n_classes)])
    assert all(ticks[k] == str(k) for k in ticks)
    assert len({later - before for before, later in pairwise(ticks)}) == 1
    assert len(ticks) == shown
    assert len(" ".join(ticks.values())) <= CHARACTERS + 2


def test_lines_and_classes_differ_in_looks() -> None:
    assert len({tuple(line_look(k).values()) for k in range(60)}) == 60
    assert len({tuple(class_look(k).values()) for k in range(56)}) == 56


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


def test_ticks_in_percent_have_the_digits_that_they_need() -> None:
    figure, (ax,) = panels(["panel"], title="title", caption="caption", least=1)
    percent_ticks(ax.yaxis)
    ax.set_ylim(0.9755, 0.979)
    laid_out(figure)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert "97.75%" in labels
    assert len(set(labels)) == len(labels)


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
