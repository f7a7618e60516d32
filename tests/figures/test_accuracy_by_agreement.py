from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from figures.views import caption, laid_out, scores, students

from kdcli.figures.accuracy_by_agreement import draw, finding, obstacle
from kdcli.figures.view import View


def test_a_point_for_each_set(view: View) -> None:
    hard = students("hard", score=scores(0.9, 0.99, agreement=0.97, accuracy=0.93))
    (ax,) = draw(replace(view, students=[hard])).axes
    (bars,) = ax.containers
    line, _, (across, along) = bars.lines
    np.testing.assert_allclose(line.get_xydata(), [[0.97, 0.93]])
    np.testing.assert_allclose(across.get_segments(), [[[0.9, 0.93], [0.99, 0.93]]])
    np.testing.assert_allclose(along.get_segments(), [[[0.97, 0.9], [0.97, 0.99]]])
    assert bars.get_label() == "hard"
    assert ax.get_lines()[-1].get_ydata()[0] == pytest.approx(0.945)  # the teacher
    assert "agreement" in ax.get_xlabel()
    assert "accuracy" in ax.get_ylabel()


def test_sets_of_several_models_are_named_with_them(view: View) -> None:
    (ax,) = draw(view).axes
    assert [bars.get_label() for bars in ax.containers][:2] == ["labels (mlp:4)", "soft, T = 4 (mlp:4)"]


def agreeing(view: View, *points: tuple[float, float]) -> View:
    """A run of sets with these agreements and accuracies."""
    sets = [
        students(f"{k}", score=scores(0, 1, agreement=agreement, accuracy=accuracy))
        for k, (agreement, accuracy) in enumerate(points)
    ]
    return replace(view, students=sets)


def test_sets_in_one_place_have_markers_around_each_other(view: View) -> None:
    (ax,) = draw(agreeing(view, (0.5, 0.5), (0.5, 0.5), (0.9, 0.9), (0.501, 0.499))).axes
    first, second, apart, third = (bars.lines[0] for bars in ax.containers)
    assert first.get_markersize() > second.get_markersize() > third.get_markersize()
    assert apart.get_markersize() == third.get_markersize()
    assert all(line.get_markerfacecolor() == "none" for line in (first, second, third))


def test_the_title_tells_whether_students_that_agree_more_are_more_accurate(view: View) -> None:
    points = [(0.9, 0.8), (0.91, 0.81), (0.92, 0.79), (0.93, 0.9)]
    start = "Students that agree more with their teacher are"
    assert finding(agreeing(view, *points)) == f"{start} more accurate in 4 of 6 pairs of sets"
    reverse = [(-agreement, accuracy) for agreement, accuracy in points]
    assert finding(agreeing(view, *reverse)) == f"{start} less accurate in 4 of 6 pairs of sets"
    even = [(1, 2), (2, 1), (3, 1), (4, 2)]
    assert finding(agreeing(view, *even)) == f"{start} more accurate in 2 of 6 pairs of sets, less in 2"


def test_the_order_in_the_title_has_the_sign_of_a_rank_correlation(view: View) -> None:
    random = np.random.default_rng(0)
    signs = set()
    for _ in range(30):
        points = random.integers(0, 4, size=(6, 2)) / 4  # with ties
        tau = scipy.stats.kendalltau(*points.T).statistic
        told = finding(agreeing(view, *points.tolist()))
        sign = 0 if ", less" in told else 1 if "more accurate" in told else -1
        assert sign == np.sign(np.round(tau, 12))
        signs.add(sign)
    assert signs == {-1, 0, 1}


def test_three_sets_are_too_few_to_tell(view: View) -> None:
    few = agreeing(view, (0.1, 0.1), (0.2, 0.2), (0.3, 0.3))
    assert finding(few) == "Most accurate: 2 (mlp:4), 30.00 %, with 30.00 % agreement with the teacher"


def test_the_caption_says_what_intervals_are_over(view: View) -> None:
    assert "over test examples, and over seeds" in caption(draw(view))
    assert "over 2 draws of the data" in caption(draw(replace(view, draws=2)))


def test_points_in_the_same_place_are_all_seen(view: View) -> None:
    (ax,) = draw(agreeing(view, (0.9, 0.8), (0.9, 0.8))).axes
    first, second = (bars.lines[0] for bars in ax.containers)
    assert first.get_marker() != second.get_marker()
    assert first.get_markerfacecolor() == second.get_markerfacecolor() == "none"


def test_ticks_are_told_apart_where_accuracies_are_close(view: View) -> None:
    close = [students(f"{k}", score=scores(0.9771 + k / 1e4, 0.9776 + k / 1e4)) for k in range(3)]
    figure = laid_out(draw(replace(view, students=close, teacher=students("t", score=scores(0.977, 0.978)))))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) > 3
    assert len(set(labels)) == len(labels)


def test_it_needs_a_teacher(view: View) -> None:
    assert "teacher" in obstacle(replace(view, teacher=None))
