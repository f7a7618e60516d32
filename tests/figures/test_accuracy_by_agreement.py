from dataclasses import replace

import numpy as np
import pytest
from views import scores, students

from kdcli.figures.accuracy_by_agreement import draw, obstacle
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


def test_it_needs_a_teacher(view: View) -> None:
    assert "teacher" in obstacle(replace(view, teacher=None))
