from dataclasses import replace

import numpy as np
import pytest
from figures.views import caption, laid_out, legend_labels, trees

from kdcli.figures.accuracy_by_leaves import draw, finding, note, obstacle
from kdcli.figures.view import View


def test_a_line_for_each_target(view: View) -> None:
    figure = draw(view)
    (ax,) = figure.axes
    lines = {line.get_label(): line for line in ax.get_lines() if not str(line.get_label()).startswith("_")}
    levels = {name: line.get_ydata()[0] for name, line in lines.items()}
    assert levels == {"teacher": pytest.approx(0.9467), "Bayes optimum": 0.9772}
    bars = {container.get_label(): container for container in ax.containers}
    assert set(bars) == {"labels", "soft, T = 1"}
    line, _, (stems,) = bars["labels"].lines
    np.testing.assert_allclose(line.get_ydata(), [0.9, 0.8])
    np.testing.assert_allclose(line.get_xdata(orig=False), [4, 60], rtol=0.03)
    ((below, low), (above, high)) = stems.get_segments()[1]
    assert (below, above) == (line.get_xdata(orig=False)[1],) * 2
    assert (low, high) == pytest.approx((0.79, 0.81))
    ((x, y),) = bars["soft, T = 1"].lines[0].get_xydata()  # not by depth
    assert y == pytest.approx(0.85)
    assert line.get_xdata(orig=False)[0] < x < 4.3  # bars of two targets are beside each other
    assert [text.get_text() for text in ax.texts] == ["no limit"]
    assert ax.texts[0].xy == (line.get_xdata(orig=False)[1], pytest.approx(0.8))
    assert ax.get_xscale() == "log"
    assert legend_labels(figure) == ["teacher", "Bayes optimum", "labels", "soft, T = 1"]


def test_the_mean_and_range_of_all_draws(draws: View) -> None:
    figure = draw(draws)
    (ax,) = figure.axes
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert lines["Bayes optimum"].get_ydata()[0] == pytest.approx(0.9672)
    bars = {container.get_label(): container for container in ax.containers}
    line, _, (stems,) = bars["labels"].lines
    np.testing.assert_allclose(line.get_ydata(), [0.89, 0.79])
    np.testing.assert_allclose(np.array(stems.get_segments()[1])[:, 1], [0.77, 0.81])
    assert caption(figure).startswith("Points: mean over draws and seeds;")
    assert ax.get_ylabel() == "test accuracy (60 examples in each draw)"


@pytest.mark.parametrize(
    ("accuracies", "told"),
    [
        ({"labels": (0.8, 0.9), "hard": (0.7, 0.95)}, "labels and hard each give"),
        ({"labels": (0.8, 0.9), "hard": (0.8, 0.9)}, ""),
        ({"labels": (0.8, 0.9), "soft, T = 4": (0.8, 0.95)}, "soft at T = 4 gives"),
    ],
)
def test_the_title_tells_the_target_of_the_most_accurate_trees(
    view: View, accuracies: dict[str, tuple[float, float]], told: str
) -> None:
    sets = [
        trees(title, f"tree:max_leaf_nodes={n}", n, accuracy)
        for title, of_sizes in accuracies.items()
        for n, accuracy in zip((4, 8), of_sizes, strict=True)
    ]
    plain = "No single target gives the most accurate trees at any size"
    expected = f"{told} the most accurate trees at 1 of 2 sizes" if told else plain
    assert finding(replace(view, students=sets)) == expected
    assert draw(replace(view, students=sets)).get_suptitle() == f"{expected}, run demo"


def test_the_title_of_one_target_tells_the_best_size(view: View) -> None:
    sets = [trees("soft, T = 1", f"tree:max_leaf_nodes={n}", n, 1 / n) for n in (4, 2)]
    told = "Trees of soft at T = 1 are most accurate with 2 leaves: 50.00 %"
    assert finding(replace(view, students=sets)) == told


def test_sizes_with_a_single_target_are_no_comparison(view: View) -> None:
    assert finding(view) == "labels gives the most accurate trees at 1 of 1 size"
    apart = [trees("labels", "tree:max_leaf_nodes=4", 4, 0.9), trees("hard", "tree:max_leaf_nodes=8", 8, 0.8)]
    told = "Trees of labels with 4 leaves are the most accurate: 90.00 %"
    assert finding(replace(view, students=apart)) == told


def test_trees_with_other_limits_are_left_out(view: View) -> None:
    assert note(view) == "leaves out 1 student set of trees with limits other than max_leaf_nodes"
    assert "at least two sizes" in obstacle(replace(view, students=view.students[:3]))


@pytest.mark.parametrize("count", [1, 4, 9])
def test_the_legend_stays_in_the_picture_and_clear_of_the_panel(view: View, count: int) -> None:
    sets = [
        trees(f"soft, T = {k}, w = 0.25", f"tree:max_leaf_nodes={k}{n}", k + n, 0.9)
        for k in range(count)
        for n in (4, 8)
    ]
    figure = laid_out(draw(replace(view, students=sets)))
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.axes[0].xaxis.label.get_window_extent().y0
    assert box.y0 >= figure.texts[-1].get_window_extent().y1
