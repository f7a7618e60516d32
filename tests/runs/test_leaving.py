from pathlib import Path

import numpy as np
import pytest
from customers import customers
from harness import Kd

from kdcli.runs.experiment import Experiment
from kdcli.runs.leaving import GOLDEN, Leaving, leaving
from kdcli.runs.predictor import Predictor, students_of
from kdcli.store import Store


def left(folder: str, *, seed: int | None = None, draw: int = 0) -> tuple[Experiment, Leaving]:
    experiment = Experiment.open(Store().existing_run(None))
    trained = students_of(experiment, folder)
    return experiment, leaving(trained, Predictor.of(trained, seed=seed, draw=draw), draw, encoded=False)


@pytest.fixture
def own(kd: Kd) -> None:
    customers()
    assert kd("gen-data", "customers.csv", "--label", "left", "--missing", "gone", "--draws", "2").code == 0
    models = ("--model", "tree:max_depth=3,mlp:4", "--target", "labels", "--seeds", "2")
    assert kd("distill", *models, "--epochs", "5").code == 0


@pytest.mark.parametrize("draw", [0, 1])
def test_a_student_of_a_table_leaves_with_rows_and_what_it_says_of_them(own: None, draw: int) -> None:
    experiment, found = left("labels-mlp4", seed=1, draw=draw)
    student, data = found.student, experiment.data
    test = data.pool.split("test", draw).x.numpy()
    assert student.who == f"labels-mlp4, seed 1 of draw {draw}, of run customers"
    assert [column.name for column in student.columns] == ["age", "plan", "active", "spent"]
    assert student.fills
    assert "gone" in student.missing
    np.testing.assert_array_equal(found.test.x, test)
    logits = students_of(experiment, "labels-mlp4").load_tested()[draw, 1]
    np.testing.assert_allclose(found.test.p, logits.softmax(-1).numpy(), atol=1e-5)
    assert found.n_test == len(test) == len(found.test.raw)
    assert student.facts["metrics"]["accuracy"] == pytest.approx(
        (logits.argmax(1) == data.pool.labels("test", draw)).double().mean()
    )


def test_no_made_row_is_one_of_the_data(own: None) -> None:
    experiment, found = left("labels-tree-depth3")
    pool = {row.tobytes() for row in experiment.data.pool.x.numpy()}
    assert len(found.student.golden.x) == GOLDEN
    assert not pool & {row.tobytes() for row in found.student.golden.x}
    assert len(found.made.x) > GOLDEN  # and those at thresholds


def test_made_rows_are_the_same_each_time(own: None) -> None:
    first, again = left("labels-mlp4")[1].student.golden, left("labels-mlp4")[1].student.golden
    assert first.raw == again.raw
    np.testing.assert_array_equal(first.p, again.p)


def test_points_have_columns_that_lack_no_value(tiny: Path) -> None:
    _, found = left("soft-T4-mlp4")
    assert [column.name for column in found.student.columns] == ["x₁", "x₂"]
    assert not found.student.fills
    assert not found.student.missing
