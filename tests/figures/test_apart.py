from itertools import pairwise

import pytest

from kdcli.figures.apart import moved_lines, rings, side_by_side


def test_points_of_one_place_stand_beside_each_other_around_it() -> None:
    moved = side_by_side([100, 1000, 100, 100])
    assert moved[1] == pytest.approx(1000)
    assert moved[2] == pytest.approx(100)
    assert moved[0] < 100 < moved[3]
    assert moved[0] * moved[3] == pytest.approx(100**2)
    assert moved[3] < 120


def test_points_apart_stay_where_they_are() -> None:
    assert side_by_side([1, 2, 4]) == [1, 2, 4]
    assert side_by_side([5]) == [5]


def test_points_keep_their_order_where_places_are_close_to_each_other() -> None:
    values = [100.0] * 9 + [103.0] * 9 + [1e6]
    moved = side_by_side(values)
    assert max(moved[:9]) < min(moved[9:18]) < 1e6
    assert all(a < b for a, b in pairwise(moved[:9]))


def test_all_points_of_a_line_are_moved_alike() -> None:
    values = [1.0, 2.0, 20.0]
    left, middle, right = moved_lines([values, values, values[:2]])
    assert middle == pytest.approx(values)
    assert left == pytest.approx([left[0] * value for value in values])
    assert right == pytest.approx([right[0] * value for value in values[:2]])
    assert left[0] < 1 < right[0] < left[1]
    assert left[0] * right[0] == pytest.approx(1)
    assert moved_lines([values]) == [values]
    left, right = moved_lines([[1.0, 2.0, 2.0, 20.0], values])  # the second and third in one place
    assert left[0] < 1 < right[0]
    assert right[0] - left[0] > 0.02


def test_markers_in_one_place_are_rings_of_their_own() -> None:
    points = [(0.5, 0.9), (0.1, 0.1), (0.501, 0.9), (0.5, 0.9)]
    assert rings(points, (1.0, 1.0)) == [2, 0, 1, 0]
    assert rings(points, (0.01, 1.0)) == [1, 0, 0, 0]
    assert rings(points[:1] * 2, (0.0, 0.0)) == [1, 0]
