import re
from itertools import pairwise

import pytest
from figures.views import laid_out

from kdcli.figures.canvas import WIDTH, panels
from kdcli.figures.ticks import CHARACTERS, TICK_ROOM, class_ticks, number_size, percent_ticks
from kdcli.figures.wrapping import text_width


@pytest.mark.parametrize(("n_classes", "shown"), [(2, 2), (10, 10), (26, 9), (47, 10), (62, 11)])
def test_names_of_many_classes_have_room(n_classes: int, shown: int) -> None:
    ticks = class_ticks([str(k) for k in range(n_classes)])
    assert all(ticks[k] == str(k) for k in ticks)
    assert len({later - before for before, later in pairwise(ticks)}) == 1
    assert len(ticks) == shown
    assert len(" ".join(ticks.values())) <= CHARACTERS + 2


def test_long_names_of_classes_are_cut_in_the_middle() -> None:
    names = ["short", "Iris-versicolor", "Iris-virginica", "W" * 10_000]
    ticks = [class_ticks([name])[0] for name in names]
    assert ticks[0] == "short"
    assert all(re.fullmatch("Iris?…[a-z]+", tick) for tick in ticks[1:3])
    assert ticks[1] != ticks[2]
    assert all(text_width(tick) <= TICK_ROOM for tick in ticks)


def test_ticks_in_percent_have_the_digits_that_they_need() -> None:
    figure, (ax,) = panels(["panel"], title="title", caption="caption")
    percent_ticks(ax.yaxis)
    ax.set_ylim(0.9755, 0.979)
    laid_out(figure)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert "97.75 %" in labels
    assert len(set(labels)) == len(labels)
    assert {len(label.partition(".")[2]) for label in labels} == {len("75 %")}


@pytest.mark.parametrize(("cells", "digits"), [(2, 5), (10, 2), (10, 4), (20, 3)])
def test_numbers_have_room_in_their_cells(cells: int, digits: int) -> None:
    size = number_size(cells, digits)
    cell = WIDTH / cells
    assert size <= 9
    assert size * 0.64 * digits / 72 <= cell  # a digit is 0.64 of its size wide
    assert size / 72 <= cell
