import math
from pathlib import Path

import pytest
import torch
from harness import Kd, opened

from kdcli.scored import entropy
from kdcli.teachers.memory import Memory, memory_of


@pytest.mark.parametrize(
    ("train", "val", "tells"),
    [(0.1, 0.3, True), (0.28, 0.3, False), (0.0, 0.04, False), (0.3, 0.1, False), (0.0, 0.3, True)],
)
def test_a_memory_tells_where_training_rows_are_far_surer(train: float, val: float, tells: bool) -> None:
    assert Memory(train, val).tells is tells


def test_entropy_of_known_distributions() -> None:
    log_p = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]], dtype=torch.float64).log()
    assert entropy(log_p).tolist() == pytest.approx([math.log(2), 0.0, math.log(3)])


def test_a_forest_is_told_that_it_remembers_and_how_folds_help(kd: Kd, outputs: Path) -> None:
    moons = outputs / "moons"
    kd("gen-data", "moons", "--n-samples", "300", "--noise", "0.4", "--n-test", "50")
    told = kd("train-teacher", "--model", "forest:20", "--folds", "1", "--force")
    memory = memory_of(opened(moons).teacher)
    assert memory.tells
    assert f"the entropy of its labels is {memory.train:.3f}" in told.out.replace("\n", " ")
    assert "kd train-teacher --model forest:20 --folds 5 --force" in told.out.replace("\n", " ")
    told = kd("train-teacher", "--model", "forest:20", "--folds", "5", "--force")
    assert not memory_of(opened(moons).teacher).tells
    assert "remembers" not in told.out
