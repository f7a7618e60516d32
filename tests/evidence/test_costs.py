import torch

from kdcli.models import parse_model
from kdcli.models.stacked_cnn import StackedCNN
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.models.stacked_trees import StackedTrees


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
