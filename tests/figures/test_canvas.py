from itertools import pairwise

import pytest
from views import laid_out

from kdcli.figures.canvas import CHARACTERS, class_look, class_ticks, legend, line_look, panels


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
