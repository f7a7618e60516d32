from collections.abc import Callable
from itertools import pairwise

import pytest
from figures.views import laid_out
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdcli.figures.canvas import (
    CHARACTERS,
    TITLE_MARGIN,
    class_look,
    class_ticks,
    legend,
    line_look,
    panels,
    percent_ticks,
    rows,
    wide_panel,
    wrapped,
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


@pytest.mark.parametrize("entries", [1, 4, 13])
def test_a_legend_of_panels_has_room_between_them_and_the_caption(entries: int) -> None:
    figure, axes = panels(5, title="title", caption="one line\nanother", entries=entries)
    for ax in axes:
        ax.set_xlabel("label")
    handles = [axes[0].plot([0, 1])[0] for _ in range(entries)]
    legend(figure, handles, [f"line {k}" for k in range(entries)])
    box = laid_out(figure).legends[0].get_window_extent()
    assert box.y1 <= axes[-1].xaxis.label.get_window_extent().y0
    assert box.y0 >= figure.texts[-1].get_window_extent().y1


def test_a_title_that_fits_stays_in_one_line() -> None:
    assert wrapped("A short title, run moons", 9) == "A short title, run moons"


@pytest.mark.parametrize("width", [4.0, 6.0, 9.0])
def test_a_long_title_is_broken_into_few_lines_of_about_the_same_length(width: float) -> None:
    title = "On 34 of 359 test images at least one of 5 student sets disagrees with the teacher, run digits"
    lines = wrapped(title, width).split("\n")
    assert " ".join(lines) == title
    assert len(lines) == {4.0: 3, 6.0: 2, 9.0: 2}[width]
    assert min(map(len, lines)) > 0.6 * max(map(len, lines))


def test_numbers_stay_with_their_unit_and_their_name() -> None:
    for width in (1.6, 1.8, 2.0, 2.2, 2.4):
        lines = wrapped("highest accuracy 93.31 % at T = 20", width).split("\n")
        assert len(lines) > 1
        assert sum("93.31 %" in line for line in lines) == 1
        assert sum("T = 20" in line for line in lines) == 1


def test_a_name_that_is_too_long_for_a_line_is_cut() -> None:
    lines = wrapped("run " + "m" * 100, 9).split("\n")
    assert "".join(lines) == "run " + "m" * 100
    assert len(lines) > 1


LONG = "Students that agree more with their teacher are " * 4
MAKERS: list[Callable[[str], tuple[Figure, list[Axes]]]] = [
    lambda title: panels(5, title=title, caption="caption"),
    lambda title: rows(2, 4, title=title, caption="caption"),
    lambda title: (lambda figure, ax: (figure, [ax]))(*wide_panel(title=title, caption="caption", entries=3)),
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
    figure, (ax,) = panels(1, title="title", caption="caption", least=1)
    percent_ticks(ax.yaxis)
    ax.set_ylim(0.9755, 0.979)
    laid_out(figure)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert "97.75%" in labels
    assert len(set(labels)) == len(labels)
