from pathlib import Path

import pytest
import torch
from harness import Kd

from kdcli.evidence.costs import measure_costs
from kdcli.models import parse_model
from kdcli.models.stacked_cnn import StackedCNN
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.models.stacked_trees import StackedTrees
from kdcli.runs.experiment import Experiment
from kdcli.store import Store


def test_numbers_of_networks_are_those_of_pytorch() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(784, 10), torch.nn.Linear(10, 10), torch.nn.Linear(10, 10))
    count = sum(p.numel() for p in layers.parameters())
    stack = parse_model("mlp:10,10").build((28, 28), 10, members=3)
    assert isinstance(stack, StackedMLP)
    assert stack.numbers() == (count, 4 * count)


def test_multiply_adds_are_products_of_weights_with_inputs() -> None:
    assert parse_model("mlp:10,10").multiply_adds((28, 28), 10) == 784 * 10 + 10 * 10 + 10 * 10
    model = parse_model("cnn:3,5")
    stack = model.build((8, 6), 4)
    assert isinstance(stack, StackedCNN)
    # Every filter at every place it fits, then the perceptron.
    assert model.multiply_adds((8, 6), 4) == 3 * 9 * (6 * 4) + (3 * 6 * 4) * 5 + 5 * 4
    assert parse_model("tree").multiply_adds((2,), 2) == 0


def test_numbers_of_trees_leave_out_what_only_fills_up() -> None:
    # A tree of three leaves beside one of a single leaf, filled up to five nodes.
    inner = torch.tensor([[[1, 2], [3, 4], [0, 0], [0, 0], [0, 0]], [[0, 0]] * 5])
    arrays = {
        "feature": torch.zeros(2, 5, dtype=torch.int64),
        "threshold": torch.zeros(2, 5, dtype=torch.float64),
        "branches": inner,
        "log_p": torch.zeros(2, 5, 4, dtype=torch.float64),
    }
    trees = StackedTrees(arrays)
    assert trees.leaves.tolist() == [3, 1]
    # Means: two leaves of four probabilities, one inner node of a feature and a threshold.
    assert trees.numbers() == (2 * 4 + 2, 3 * (8 + 8 + 16 + 32))


def test_models_are_timed_in_turn_and_those_of_one_size_once(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment.open(Store().existing_run(None))
    asked: list[tuple[str, int]] = []
    forward = StackedMLP.forward

    def watched(self: StackedMLP, x: torch.Tensor) -> torch.Tensor:
        asked.append((f"{len(self.weights[0][0])}", x.shape[1]))
        return forward(self, x)

    monkeypatch.setattr(StackedMLP, "forward", watched)
    costs = measure_costs([experiment.teacher, *experiment.students()], experiment.data)
    assert set(costs) == {"teacher", "labels-mlp4", "soft-T4-mlp4"}
    assert costs["labels-mlp4"] == costs["soft-T4-mlp4"]
    single = [name for name, rows in asked if rows == 1]
    assert single[:4] == ["8", "4", "8", "4"]  # hidden units of teacher and students, in turn
    assert len([rows for _, rows in asked if rows == 64]) * 10 >= len(single)


def test_a_row_among_many_takes_less_than_a_call(kd: Kd, tiny: Path) -> None:
    experiment = Experiment.open(Store().existing_run(None))
    cost = measure_costs(experiment.students(), experiment.data)["labels-mlp4"]
    assert 0 <= cost.latency_row_us < 1000 * cost.latency_ms
