from types import MappingProxyType

import pytest
import torch
from torch import Tensor

from kdcli import losses
from kdcli.losses import LOSSES, Loss, Objective
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator
from kdcli.training.examples import Examples, by_set, evaluate
from kdcli.training.loop import add_gradients

N = 90
X = torch.randn(N, 2, generator=generator("x", 0))


def worst(logits: Tensor, target: Tensor, temperature: Tensor) -> Tensor:
    """A loss that is no mean over examples: the largest squared error."""
    return (logits.double().softmax(-2) - target).square().sum(-2).amax(-1)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> StackedMLP:
    monkeypatch.setattr(losses, "LOSSES", MappingProxyType({**LOSSES, "worst": Loss(worst, is_mean=False)}))
    stack = StackedMLP((2, 4, 2), 4)
    stack.initialise([generator("weights", seed) for seed in range(2)])
    return stack


def examples(loss: str) -> Examples:
    target = torch.rand(2, 2, N, generator=generator("target", 0)).double().softmax(-2)
    labels = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).T.double()
    return Examples(X, Objective(target, torch.ones(2, 1, 1).double(), labels, loss_name=loss))


@pytest.mark.parametrize("loss", ["kl", "worst"])
def test_losses_do_not_depend_on_how_many_examples_are_computed_at_once(stack: StackedMLP, loss: str) -> None:
    whole = evaluate(stack, examples(loss))
    objective = examples(loss).objective
    logits = by_set(stack(X.unsqueeze(0)), objective)
    torch.testing.assert_close(whole, objective.loss(logits.detach()).flatten(), rtol=1e-6, atol=0)
    stack.piece = 7
    torch.testing.assert_close(evaluate(stack, examples(loss)), whole, rtol=1e-6, atol=0)


@pytest.mark.parametrize("loss", ["kl", "worst"])
def test_gradients_do_not_depend_on_how_many_examples_are_computed_at_once(
    stack: StackedMLP, loss: str
) -> None:
    objective = examples(loss).objective
    gradients = []
    for stack.piece in (N, 7):
        gradients.append([torch.zeros_like(parameter) for parameter in stack.parameters()])
        add_gradients(stack, X.unsqueeze(0), objective, gradients[-1], torch.float32)
    for whole, in_pieces in zip(*gradients, strict=True):
        assert bool(whole.any())
        torch.testing.assert_close(in_pieces, whole, rtol=1e-4, atol=1e-6)


def test_batches_hold_every_example_once_in_an_order_for_each_group() -> None:
    orders = [generator("batches", seed) for seed in range(3)]
    batches = list(examples("kl").batches(32, orders))
    assert [x.shape for x, _ in batches] == [(3, 32, 2), (3, 32, 2), (3, 26, 2)]
    for group in range(3):
        rows = torch.cat([x[group] for x, _ in batches])
        assert sorted(rows.tolist()) == sorted(X.tolist())
    assert not torch.equal(batches[0][0][0], batches[0][0][1])
    again = [generator("batches", seed) for seed in range(3)]
    (last,) = examples("kl").batches(32, again, skip=2)
    assert torch.equal(last[0], batches[2][0])
    assert torch.equal(last[1].target, batches[2][1].target)


@pytest.mark.parametrize("size", [0, N, 1000])
def test_a_whole_split_is_one_batch_in_its_own_order(size: int) -> None:
    ((x, objective),) = examples("kl").batches(size, [])
    assert torch.equal(x[0], X)
    assert objective.target.shape == (2, 2, N)
    assert list(examples("kl").batches(size, [], skip=1)) == []
