from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from figures.views import caption, laid_out, legend_labels, students

from kdcli.figures.column_importance import draw, finding, importances, obstacle
from kdcli.figures.view import Examples, View

if TYPE_CHECKING:
    from kdcli.figures.view import Array

COLUMNS = {"telling": [0], "idle": [1, 2]}


@pytest.fixture
def table(view: View) -> View:
    x = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
    return replace(
        view, splits={**view.splits, "test": Examples(x, (x[:, 0] > 0).astype(int))}, columns=COLUMNS
    )


def by_sign_of(feature: int, x: "Array") -> "Array":
    right = (x[:, feature] > 0).astype(float)
    return np.stack([1 - right, right], axis=1)


def test_shuffling_the_column_that_tells_all_leaves_chance_and_the_others_nothing(table: View) -> None:
    knows = students("labels", predict=lambda x: by_sign_of(0, x))
    fall = importances(table, knows)
    assert fall["telling"] == pytest.approx(0.5, abs=0.06)
    assert fall["idle"] == 0


def test_the_features_of_a_column_are_shuffled_together(table: View) -> None:
    """A model that looks at two features of one column sees pairs that there are."""
    seen: list[Array] = []

    def predict(x: "Array") -> "Array":
        seen.append(x[:, 1:])
        return by_sign_of(0, x)

    importances(table, students("labels", predict=predict))
    pairs = {tuple(row) for row in table.test.x[:, 1:]}
    assert all({tuple(row) for row in rows} <= pairs for rows in seen)


def test_the_finding_names_the_column_that_matters_most() -> None:
    alike = {"teacher": {"a": 0.2, "b": 0.1}, "soft (mlp:4)": {"a": 0.3, "b": 0.0}}
    assert finding(list(alike), alike) == "'a' matters most to all models shown"
    assert finding(["teacher"], alike) == "'a' matters most to teacher"
    apart = {"teacher": {"a": 0.2, "b": 0.1}, "soft (mlp:4)": {"a": 0.0, "b": 0.3}}
    assert finding(list(apart), apart) == "teacher relies most on 'a'; soft (mlp:4) relies most on 'b'"
    two = {**apart, "hard (mlp:4)": alike["teacher"]}
    told = "teacher and hard (mlp:4) rely most on 'a'; soft (mlp:4) relies most on 'b'"
    assert finding(list(two), two) == told


def test_a_point_for_each_model_and_column_the_most_important_on_top(table: View) -> None:
    teacher = students("teacher", predict=lambda x: by_sign_of(0, x))
    control = students("labels", predict=lambda x: by_sign_of(1, x))
    shown = replace(table, teacher=teacher, students=[control])
    figure = laid_out(draw(shown))
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["telling", "idle"]
    assert "percentage points" in ax.get_xlabel()
    assert legend_labels(figure) == ["teacher", "labels (mlp:4)"]
    points = [line for line in ax.get_lines() if line.get_label() in legend_labels(figure)]
    for ys, row in zip(zip(*(line.get_ydata() for line in points), strict=True), (0, -1), strict=True):
        assert row + 0.5 > ys[0] > row > ys[1] > row - 0.5  # points of one row are all seen
    assert points[0].get_xdata()[0] == pytest.approx(100 * importances(shown, teacher)["telling"])
    assert "400 examples" in caption(figure)


def test_teacher_control_and_the_softest_set_are_compared(table: View) -> None:
    sets = [students(title) for title in ("labels", "hard", "soft, T = 1", "soft, T = 4")]
    shown = replace(table, students=sets)
    assert [s.title for s in shown.representatives][-2:] == ["labels", "soft, T = 4"]


def test_it_needs_columns_and_models(table: View) -> None:
    assert obstacle(table) == ""
    assert "columns" in obstacle(replace(table, columns={}))
    assert "trained" in obstacle(replace(table, teacher=None, students=[]))
