from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from figures.views import assert_legible, caption, laid_out, legend_labels, scores, students

from kdcli.figures.reliability import draw, finding
from kdcli.figures.view import View


def test_accuracy_with_its_interval_against_confidence(view: View) -> None:
    ax = draw(view).axes[0]
    assert ax.get_title() == "teacher (mlp:4)\nECE 94.50 %"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("confidence", "accuracy")
    diagonal = ax.get_lines()[0]
    np.testing.assert_allclose(diagonal.get_xydata(), [[0.5, 0.5], [1, 1]])
    points = ax.collections[-1]
    np.testing.assert_allclose(points.get_offsets(), [[0.6, 0.5], [0.97, 1.0]])
    assert points.get_sizes()[1] > points.get_sizes()[0]
    (bars,) = ax.containers
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    for (low, high), right, n in zip(ends, (5, 50), (10, 50), strict=True):  # two seeds, the same examples
        expected = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
        np.testing.assert_allclose((low, high), (expected.low, expected.high), atol=1e-6)


def test_a_histogram_of_confidence_under_each_diagram(view: View) -> None:
    two = replace(view, students=view.students[:1])
    figure = laid_out(draw(two))
    diagrams, histograms = figure.axes[:2], figure.axes[2:]
    for upper, lower in zip(diagrams, histograms, strict=True):
        assert lower.get_position().y1 < upper.get_position().y0
        assert (lower.get_xlabel(), lower.get_ylabel()) == ("confidence", "share")
        assert lower.get_xlim() == upper.get_xlim()
        bars = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in lower.patches]
        np.testing.assert_allclose(bars, [(0.5, 0.1, 1 / 6), (0.9, 0.1, 5 / 6)])
        means = {line.get_label(): line.get_xdata()[0] for line in lower.get_lines()}
        assert means["mean confidence"] == pytest.approx((20 * 0.6 + 100 * 0.97) / 120)
        assert means["mean accuracy"] == pytest.approx(110 / 120)
    assert {"mean confidence", "mean accuracy", "perfect calibration"} <= set(legend_labels(figure))
    assert_legible(figure)


def test_the_caption_says_whose_predictions_are_shown(view: View, draws: View) -> None:
    assert caption(draw(view)).startswith("Test predictions of all seeds,")
    assert caption(draw(draws)).startswith("Test predictions of all draws and seeds,")


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ((0.02, 0.1, 0.03), "Best calibrated: 0 (mlp:4), ECE 2.00 %; worst: 1 (mlp:4), ECE 10.00 %"),
        (
            (0.02, 0.02, 0.03),
            "Best calibrated: 0 (mlp:4) and 1 (mlp:4), ECE 2.00 %; worst: 2 (mlp:4), ECE 3.00 %",
        ),
        ((0.02, 0.03, 0.03, 0.03), "Best calibrated: 0 (mlp:4), ECE 2.00 %; worst: 3 models, ECE 3.00 %"),
        ((0.02, 0.02, 0.02), "all 3 models: ECE 2.00 %"),
        ((0.020001, 0.02), "0 (mlp:4) and 1 (mlp:4): ECE 2.00 %"),
        ((0.00001,), "0 (mlp:4): ECE under 0.01 %"),
    ],
)
def test_the_title_tells_who_is_calibrated_best_and_worst(
    view: View, errors: tuple[float, ...], told: str
) -> None:
    sets = [students(f"{k}", score=scores(0, 1, ece=ece)) for k, ece in enumerate(errors)]
    assert finding(replace(view, teacher=None, students=sets)) == told
