import math
from dataclasses import replace

import numpy as np
import pytest
from figures.views import UNDECIDED, Ends, caption, difference, laid_out, legend_labels
from matplotlib.axes import Axes

from kdcli.figures.draws import draw, finding, obstacle
from kdcli.figures.view import Difference, View

BY_DRAW = (1.0, -0.5, 2.0, 1.5)
NONE: Ends = (None, None)


def of_draws(view: View, *differences: Difference) -> View:
    """The run as one of four draws, with these differences."""
    return replace(view, draws=4, differences=lambda: list(differences))


def points(ax: Axes) -> list[list[tuple[float, float]]]:
    """The places of the points of each row that has some, from top to bottom of the panel."""
    drawn = [c for c in ax.collections if type(c).__name__ == "PathCollection"]
    places = [[(float(x), float(y)) for x, y in c.get_offsets()] for c in drawn]
    return [of_row for of_row in places if of_row]


def test_a_point_for_each_draw_below_the_mean_with_its_interval(view: View) -> None:
    better = difference("soft, T = 4", "accuracy", BY_DRAW, (0.2, 1.8), "better")
    (ax,) = draw(of_draws(view, better)).axes
    (row,) = points(ax)
    assert [x for x, _ in row] == list(BY_DRAW)
    heights = [y for _, y in row]
    assert all(np.diff(heights) < 0)  # the first draw on top: none hides another
    assert heights[-1] > -1.5  # within the row, which is around -1
    (bars,) = ax.containers
    line, _, (stems,) = bars.lines
    ((mean, height),) = line.get_xydata()
    assert mean == np.mean(BY_DRAW)
    assert -0.5 > height > heights[0]
    np.testing.assert_allclose(stems.get_segments(), [[[0.2, height], [1.8, height]]])
    assert line.get_marker() == "^"  # the look of its verdict
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mlp:4", "soft, T = 4"]


def test_the_legend_tells_points_from_means(view: View) -> None:
    sets = [
        difference("hard", "accuracy", BY_DRAW, (0.2, 1.8), "better"),
        difference("soft, T = 4", "accuracy", BY_DRAW, (-0.2, 2.2), UNDECIDED),
    ]
    figure = draw(of_draws(view, *sets))
    assert legend_labels(figure) == ["one draw", "mean: better", "mean: inconclusive"]


def test_infinite_and_undefined_differences_are_left_out_and_counted(view: View) -> None:
    sets = [
        difference("hard", "NLL", (0.1, math.inf, 0.2, math.inf), NONE, UNDECIDED),
        difference("soft, T = 4", "NLL", (math.nan, 0.3, -math.inf, math.nan), NONE, UNDECIDED),
        difference("smooth", "NLL", (math.nan,) * 4, NONE, UNDECIDED),
    ]
    figure = draw(of_draws(view, *sets))
    hard, soft = points(figure.axes[0])
    assert [x for x, _ in hard] == [0.1, 0.2]
    assert [x for x, _ in soft] == [0.3]
    assert "Left out: 9 infinite or undefined differences." in caption(figure)
    texts = [text.get_text() for text in figure.axes[0].texts[2:]]
    assert texts == ["infinite here: inconclusive", "both infinite", "both infinite"]


def test_the_caption_says_what_to_read(view: View) -> None:
    better = difference("hard", "accuracy", BY_DRAW, (0.2, 1.8), "better")
    text = caption(draw(of_draws(view, better)))
    assert "A point on the control's side of 0 is a draw in which the control was better." in text
    assert "Bars: the mean with its 95 % interval, over 4 draws of the data" in text
    assert "Left out" not in text


@pytest.mark.parametrize(
    ("differences", "told"),
    [
        (
            [
                difference("hard", "accuracy", (1.0, 2.0, 1.0, 2.0), (1, 2), "better"),
                difference("soft, T = 4", "accuracy", (2.0, 3.0, -0.1, 2.0), (1, 3), "better"),
                difference("smooth", "accuracy", (9.0, 9.0, -9.0, 9.0), (-9, 9), UNDECIDED),
            ],
            "soft, T = 4 (mlp:4): more accurate than the control in 3 of 4 draws",
        ),
        (
            [
                difference("hard", "accuracy", (-1.0, -2.0, -1.0, 0.0), (-2, -1), "worse"),
                difference("smooth", "accuracy", (9.0, 9.0, -9.0, 9.0), (-9, 9), UNDECIDED),
            ],
            "hard (mlp:4): less accurate than the control in 3 of 4 draws",
        ),
        (
            [
                difference("hard", "accuracy", (-8.0, -9.0, -8.0, -9.0), (-9, -8), "worse"),
                difference("smooth", "accuracy", (1.0, 1.0, 1.0, 2.0), (1, 2), "better"),
            ],
            "smooth (mlp:4): more accurate than the control in 4 of 4 draws",
        ),
        (
            [difference("hard", "accuracy", BY_DRAW, (-1, 3), UNDECIDED)],
            "hard (mlp:4): more accurate than the control in 3 of 4 draws (inconclusive)",
        ),
        (
            [difference("hard", "accuracy", (0.5,) * 4, NONE, None)],
            "hard (mlp:4): more accurate than the control in 4 of 4 draws (no verdict)",
        ),
        (
            [difference("hard", "NLL", (-0.5, -0.5, -math.inf, 0.1), NONE, "better")],
            "hard (mlp:4): better in NLL than the control in 3 of 4 draws",
        ),
        (
            [difference("hard", "NLL", (0.5, 0.5, 0.5, -0.1), (0.1, 0.6), "worse")],
            "hard (mlp:4): worse in NLL than the control in 3 of 4 draws",
        ),
        (
            [difference("hard", "accuracy", (0.0,) * 4, (0.0, 0.0), UNDECIDED)],
            "hard (mlp:4): no difference in accuracy from the control on average over 4 draws",
        ),
        (
            [difference("hard", "NLL", (math.nan,) * 4, NONE, UNDECIDED)],
            "No difference in NLL from the control has a mean that is known",
        ),
    ],
)
def test_the_title_tells_in_how_many_draws_a_set_is_better(
    view: View, differences: list[Difference], told: str
) -> None:
    assert finding(of_draws(view, *differences)) == told
    title = draw(of_draws(view, *differences)).get_suptitle()
    assert title.replace("\n", " ") == f"{told}, run demo"


def test_a_set_without_a_seed_in_common_with_its_control_has_no_points(view: View) -> None:
    known = difference("hard", "accuracy", BY_DRAW, (0.2, 1.8), "better")
    nothing = replace(known, title="smooth", mean=None, low=None, high=None, by_draw=(), nothing=True)
    (ax,) = draw(of_draws(view, known, nothing)).axes
    assert len(points(ax)) == 1
    assert ax.texts[2].get_text() == "no seed in common with the control"
    assert "has a seed in common" in obstacle(of_draws(view, nothing))


def test_the_same_points_are_in_the_same_places(draws: View) -> None:
    first, second = ([points(ax) for ax in draw(draws).axes] for _ in range(2))
    assert first == second


def test_the_legend_of_all_verdicts_has_room(draws: View) -> None:
    figure = laid_out(draw(draws))
    box = figure.legends[0].get_window_extent()
    assert len(legend_labels(figure)) == 5
    assert box.y1 <= figure.axes[0].xaxis.label.get_window_extent().y0
    assert box.y0 >= figure.texts[-1].get_window_extent().y1


def test_it_needs_several_draws_and_a_control(view: View, draws: View) -> None:
    assert "several draws of the data, such as --draws 10" in obstacle(view)
    assert obstacle(draws) == ""
    assert "their control" in obstacle(replace(draws, differences=list))
