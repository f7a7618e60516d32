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


def with_legend(labels: list[str], *, count: int = 5) -> Figure:
    """A figure of panels with a legend of these labels."""
    figure, axes = panels(["panel"] * count, title="title", caption="one line\nanother")
    for ax in axes:
        ax.set_xlabel("label")
    legend(figure, [axes[0].plot([0, 1])[0] for _ in labels], labels)
    return laid_out(figure)


NAME = "soft (tree:max_depth=12, n = 400 + munge:3, labels from = teacher)"


@pytest.mark.parametrize("entries", [1, 4, 13])
@pytest.mark.parametrize("name", ["line", NAME, NAME * 4])
def test_a_legend_has_room_between_panels_and_caption(entries: int, name: str) -> None:
    figure = with_legend([f"{name} {k}" for k in range(entries)])
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.axes[-1].xaxis.label.get_window_extent().y0
    assert box.y0 >= figure.texts[-1].get_window_extent().y1


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["a"] * 3, 3),
        (["a"] * 9, 4),
        (["m" * 15] * 9, 4),
        (["m" * 20] * 9, 3),
        ([NAME * 3] * 9, 2),
        ([NAME * 3], 1),
    ],
)
def test_a_legend_of_longer_labels_has_fewer_columns(labels: list[str], columns: int) -> None:
    drawn = with_legend(labels).legends[0].get_texts()
    assert len({round(text.get_window_extent().x0) for text in drawn}) == columns
    assert any("\n" in text.get_text() for text in drawn) == (labels[0] == NAME * 3)


def test_panels_keep_their_size_and_distance_from_the_title_above_a_high_legend() -> None:
    short, high = (with_legend(["line"] * count) for count in (1, 20))
    assert high.bbox.height > short.bbox.height + 0.8 * high.dpi
    for before, after in zip(short.axes, high.axes, strict=True):
        assert after.bbox.bounds[2:] == pytest.approx(before.bbox.bounds[2:])
        assert high.bbox.y1 - after.bbox.y1 == pytest.approx(short.bbox.y1 - before.bbox.y1)
    (before, caption_before), (after, caption_after) = (
        [text.get_window_extent() for text in figure.texts] for figure in (short, high)
    )
    assert high.bbox.y1 - after.y1 == pytest.approx(short.bbox.y1 - before.y1)
    assert caption_after.y0 == pytest.approx(caption_before.y0)


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
