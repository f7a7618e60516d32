from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from figures.views import laid_out, scores, students

from kdcli.figures.cost_accuracy import draw, finding, frontier, obstacle
from kdcli.figures.view import Subject, View

TEACHER = students("teacher", "mlp:64", size=lambda: 20_000.0, score=scores(0.94, 0.96))


def costing(name: str, size: float, accuracy: float) -> Subject:
    """A student set with this size and accuracy."""
    return students(
        name, size=lambda: size, score=scores(accuracy - 0.01, accuracy + 0.02, accuracy=accuracy)
    )


SETS = [
    costing("a", 100, 0.90),
    costing("b", 1000, 0.93),
    costing("c", 1000, 0.91),
    costing("d", 5000, 0.934),
]


def run_of(view: View, *sets: Subject, teacher: Subject | None = TEACHER) -> View:
    """A run with these student sets."""
    return replace(view, students=sets, teacher=teacher)


def test_a_point_for_each_set_and_the_teacher(view: View) -> None:
    (ax,) = draw(run_of(view, *SETS)).axes
    points = {bars.get_label(): bars.lines[0].get_xydata()[0].tolist() for bars in ax.containers}
    assert points == {
        "a (mlp:4)": [100, 0.90],
        "b (mlp:4)": [pytest.approx(1000, rel=0.06), 0.93],
        "c (mlp:4)": [pytest.approx(1000, rel=0.06), 0.91],
        "d (mlp:4)": [5000, 0.934],
        "teacher (mlp:64)": [20_000, 0.95],
    }
    assert points["b (mlp:4)"][0] < 1000 < points["c (mlp:4)"][0]  # so that both are seen
    _, _, (up,) = ax.containers[0].lines
    np.testing.assert_allclose(up.get_segments(), [[[100, 0.89], [100, 0.92]]])
    assert "bytes" in ax.get_xlabel()
    assert "test accuracy" in ax.get_ylabel()


def test_the_line_is_the_best_accuracy_for_at_most_that_size(view: View) -> None:
    (ax,) = draw(run_of(view, *SETS)).axes
    (line,) = [line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]
    places = [(100, 0.90), (1000, 0.93), (5000, 0.934), (20_000, 0.95), (20_000, 0.95)]
    np.testing.assert_allclose(line.get_xydata(), places)


def test_no_point_is_above_the_frontier_of_its_size() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        points = [tuple(map(float, point)) for point in random.integers(1, 8, size=(12, 2))]
        kept = frontier(points)
        assert set(kept) <= set(points)
        assert all(x < u and y < v for (x, y), (u, v) in pairwise(kept))
        assert all(y <= max(v for u, v in kept if u <= x) for x, y in points)


def test_of_many_sets_those_on_the_line_are_named(view: View) -> None:
    many = [costing(f"{k}", 200 + k, 0.8) for k in range(12)]
    figure = draw(run_of(view, *SETS, *many))
    (legend,) = figure.legends
    names = {text.get_text() for text in legend.get_texts()}
    assert names == {"a (mlp:4)", "b (mlp:4)", "d (mlp:4)", "13 other sets", "teacher (mlp:64)"}
    assert len(figure.axes[0].containers) == 17


def test_the_title_names_the_smallest_of_the_good_ones(view: View) -> None:
    assert finding(run_of(view, *SETS)) == (
        "The smallest students within half a point of the best, b (mlp:4), take 1.0 kB: 1/20 of the teacher's"
    )
    assert finding(run_of(view, SETS[3], teacher=None)).endswith("take 5.0 kB")


def test_a_teacher_of_unknown_size_is_a_line(view: View) -> None:
    asked = students("teacher", "given", size=lambda: None, score=scores(0.94, 0.96))
    (ax,) = draw(run_of(view, *SETS, teacher=asked)).axes
    (line,) = [line for line in ax.get_lines() if line.get_label() == "teacher, of unknown size"]
    assert line.get_ydata()[0] == pytest.approx(0.95)
    assert "teacher" not in finding(run_of(view, *SETS, teacher=asked))


def test_sizes_are_written_as_sizes(view: View) -> None:
    (ax,) = laid_out(draw(run_of(view, *SETS))).axes
    low, high = ax.get_xlim()
    shown = [label.get_text() for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert shown == ["100 B", "1.0 kB", "10.0 kB"]


def test_it_needs_two_sizes(view: View) -> None:
    assert "two sizes" in obstacle(run_of(view, SETS[1], SETS[2], teacher=None))
    assert "students" in obstacle(run_of(view))
    assert not obstacle(run_of(view, SETS[1]))
