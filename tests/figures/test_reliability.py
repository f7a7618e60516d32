import numpy as np
import scipy.stats

from kdcli.figures.reliability import draw
from kdcli.figures.view import View


def test_accuracy_with_its_interval_against_confidence(view: View) -> None:
    ax = draw(view).axes[0]
    assert ax.get_title() == "teacher (mlp:4)\nECE 94.50%"
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
