import math
from dataclasses import replace

import pytest
from figures.views import DIFFERENCES, UNDECIDED, caption, difference, laid_out
from matplotlib.axes import Axes

from kdcli.figures.differences import draw
from kdcli.figures.forest import LOOKS, row_places
from kdcli.figures.view import View


def sides(ax: Axes) -> list[str]:
    """What stands above a panel, from left to right."""
    return [text.get_text() for text in sorted(ax.texts[:2], key=lambda text: text.get_position()[0])]


def test_rows_stand_under_their_group() -> None:
    names = [("mlp:4", ""), ("mlp:4", "hard"), ("mlp:4", "soft, T = 4"), ("tree", ""), ("tree", "hard")]
    assert row_places(DIFFERENCES) == {name: -k for k, name in enumerate(names)}


def test_panels_say_on_which_side_the_control_is_better(view: View) -> None:
    accuracy, likelihood = draw(view).axes
    assert sides(accuracy) == ["← control better", "students better →"]
    assert sides(likelihood) == ["← students better", "control better →"]


def test_zero_is_shown_where_all_differences_are_on_one_side(view: View) -> None:
    far = [difference("hard", "accuracy", (8.0, 9.0), (8.0, 9.0), "better")]
    (ax,) = draw(replace(view, differences=lambda: far)).axes
    left, right = ax.get_xlim()
    assert left < 0
    assert right > 9


@pytest.mark.parametrize("value", [0.02, 60.0])
def test_words_in_place_of_a_difference_stay_in_their_panel(view: View, value: float) -> None:
    others = [
        difference("hard", metric, (value, value), (-value, value), UNDECIDED)
        for metric in ("accuracy", "NLL")
    ]
    endless = difference("soft, T = 4", "NLL", (-math.inf, 0.1), (None, None), UNDECIDED)
    ax = laid_out(draw(replace(view, differences=lambda: [*others, endless]))).axes[1]
    words = ax.texts[2].get_window_extent()
    assert ax.texts[2].get_text() == "infinite for the control: inconclusive"
    assert ax.bbox.x0 < words.x0
    assert words.x1 < ax.bbox.x1


def test_the_title_leaves_room_for_what_stands_above_the_panels(view: View) -> None:
    long = replace(view, run="a-" * 50)
    figure = laid_out(draw(long))
    (title,) = [text for text in figure.texts if text.get_text() == figure.get_suptitle()]
    assert "\n" in figure.get_suptitle()
    assert figure.axes[0].texts[0].get_window_extent().y1 < title.get_window_extent().y0
    assert "Bars" in caption(figure)


def test_verdicts_are_told_apart_without_colour() -> None:
    assert len({(marker, filled) for _, marker, filled in LOOKS.values()}) == len(LOOKS)
