import math
from dataclasses import replace
from itertools import pairwise

import pytest
from figures.views import DIFFERENCES, UNDECIDED, caption, difference, laid_out
from matplotlib.axes import Axes

from kdcli.figures.differences import draw
from kdcli.figures.forest import LOOKS, forest
from kdcli.figures.view import View


def sides(ax: Axes) -> list[str]:
    """What stands above a panel, from left to right."""
    return [text.get_text() for text in sorted(ax.texts[:2], key=lambda text: text.get_position()[0])]


def test_rows_stand_under_their_group() -> None:
    figure, panels = forest(DIFFERENCES, title="title", caption="caption")
    rows = [(label.get_text(), label.get_fontweight()) for label in figure.axes[0].get_yticklabels()]
    sets, groups = ("hard", "soft, T = 4"), ("mlp:4", "tree")
    assert [name for name, _ in rows] == [groups[0], *sets, groups[1], sets[0]]
    assert [weight for _, weight in rows] == ["bold", "normal", "normal", "bold", "normal"]
    for _, own in panels:
        assert [(d.group, d.title, y) for d, y in own] == [
            ("mlp:4", "hard", -1),
            ("mlp:4", "soft, T = 4", -2),
            ("tree", "hard", -4),
        ]


def test_differences_are_in_the_middle_of_rows_with_names_of_several_lines() -> None:
    longer = [replace(d, title=", ".join([d.title, *["n = 400 + munge:3"] * 3])) for d in DIFFERENCES[:4]]
    figure, panels = forest(longer, title="title", caption="caption")
    ticks = {label.get_text(): label for label in laid_out(figure).axes[0].get_yticklabels()}
    labels = {name.replace("\n", " "): label.get_window_extent() for name, label in ticks.items()}
    for ax, own in panels:
        for d, y in own:
            box = labels[d.title]
            middle = ax.transData.transform((0, y))[1]
            assert middle == pytest.approx((box.y0 + box.y1) / 2, abs=0.03 * figure.dpi)


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


def test_numbers_of_small_differences_do_not_touch(view: View) -> None:
    small = [
        difference("soft, T = 4", metric, (-0.172, 0.02), (-0.2, 0.11), UNDECIDED)
        for metric in ("accuracy", "NLL")
    ]
    for ax in laid_out(draw(replace(view, differences=lambda: small))).axes:
        boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
        assert len(boxes) > 2
        for box, following in pairwise(boxes):
            assert box.x1 + 4 < following.x0
