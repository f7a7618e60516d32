from dataclasses import replace
from itertools import combinations
from types import MappingProxyType

import pytest
import torch
from torch import Tensor

from kdcli import losses
from kdcli.losses import LOSSES, Loss, Objective
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator
from kdcli.training.examples import Examples, by_set, evaluate, scaling_of
from kdcli.training.loop import add_gradients

N = 90  # examples of each draw, out of 2 * N
X = torch.randn(2 * N, 2, generator=generator("x", 0))
LABELS = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).double()
SOFT = torch.rand(2 * N, 2, 2, generator=generator("target", 0)).double().softmax(-1)  # of two sets


def worst(logits: Tensor, target: Tensor, temperature: Tensor, weights: Tensor | None) -> Tensor:
    """A loss that is not a mean over examples: the largest squared error."""
    return (logits.double().softmax(-2) - target).square().sum(-2).amax(-1)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> StackedMLP:
    monkeypatch.setattr(losses, "LOSSES", MappingProxyType({**LOSSES, "worst": Loss(worst, is_mean=False)}))
    stack = StackedMLP((2, 4, 2), 4)
    stack.initialise([generator("weights", seed) for seed in range(2)])
    return stack


def examples(loss: str, draws: int = 1) -> Examples:
    """Return the examples of some draws with the targets of two sets, and the true labels."""
    index = torch.stack([torch.randperm(2 * N, generator=generator("draw", d))[:N] for d in range(draws)])
    target = SOFT[index].movedim(1, -1).unsqueeze(1)
    labels = LABELS[index].mT[:, None, None]
    weight = torch.tensor([0.25, 0.0]).double().view(2, 1, 1)
    return Examples(X, index, Objective(target, torch.ones(2, 1, 1).double(), labels, weight, loss))


@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("loss", ["kl", "worst"])
def test_losses_and_accuracies_do_not_depend_on_how_many_examples_are_computed_at_once(
    stack: StackedMLP, loss: str, draws: int
) -> None:
    taught = examples(loss, draws)
    whole, accuracy = evaluate(stack, taught)
    logits = by_set(stack(X[taught.index]), taught.objective)
    assert logits.shape == (draws, 2 // draws, 2, 2, N)
    expected = taught.objective.loss(logits.detach()).flatten()
    torch.testing.assert_close(whole, expected, rtol=1e-6, atol=0)
    labels = taught.objective.labels.argmax(-2)
    right = (logits.argmax(-2) == labels).double().mean(-1)
    torch.testing.assert_close(accuracy, right.flatten())
    stack.piece = 7
    torch.testing.assert_close(evaluate(stack, taught), (whole, accuracy), rtol=1e-6, atol=0)


@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("loss", ["kl", "worst"])
def test_gradients_do_not_depend_on_how_many_examples_are_computed_at_once(
    stack: StackedMLP, loss: str, draws: int
) -> None:
    taught = examples(loss, draws)
    gradients = []
    for stack.piece in (N, 7):
        gradients.append([torch.zeros_like(parameter) for parameter in stack.parameters()])
        add_gradients(stack, taught.whole, taught.objective, gradients[-1], torch.float32)
    for whole, in_pieces in zip(*gradients, strict=True):
        assert bool(whole.any())
        torch.testing.assert_close(in_pieces, whole, rtol=1e-4, atol=1e-6)


def orders_of(draws: int, seeds: int) -> list[torch.Generator]:
    return [generator("batches", seed, draw) for draw in range(draws) for seed in range(seeds)]


@pytest.mark.parametrize("draws", [1, 2])
def test_batches_hold_every_example_once_in_an_order_for_each_seed_of_each_draw(draws: int) -> None:
    taught = examples("kl", draws)
    batches = list(taught.batches(32, orders_of(draws, 3)))
    assert [x.shape for x, _ in batches] == [(3 * draws, size, 2) for size in (32, 32, 26)]
    for group in range(3 * draws):
        rows = torch.cat([x[group] for x, _ in batches])
        assert sorted(rows.tolist()) == sorted(X[taught.index[group // 3]].tolist())
    firsts = [x.tolist() for x in batches[0][0]]
    assert all(one != other for one, other in combinations(firsts, 2))
    (last,) = taught.batches(32, orders_of(draws, 3), skip=2)
    assert torch.equal(last[0], batches[2][0])
    assert torch.equal(last[1].target, batches[2][1].target)


@pytest.mark.parametrize("draws", [1, 2])
def test_every_example_of_a_batch_has_its_own_target_and_label(draws: int) -> None:
    for x, objective in examples("kl", draws).batches(32, orders_of(draws, 3)):
        places = (x.unsqueeze(2) == X).all(-1).int().argmax(-1).view(draws, 3, -1)  # of each in the pool
        assert torch.equal(objective.target, SOFT[places].movedim(2, -1))
        assert torch.equal(objective.labels, LABELS[places].movedim(2, -1).unsqueeze(2))


def test_the_batches_of_a_draw_are_the_same_whatever_is_trained_beside_it() -> None:
    alone = list(examples("kl", 1).batches(32, orders_of(1, 3)))
    for (x, objective), (mine, own) in zip(
        examples("kl", 2).batches(32, orders_of(2, 3)), alone, strict=True
    ):
        assert torch.equal(x[:3], mine)
        assert torch.equal(objective.target[:1], own.target)
        assert torch.equal(objective.labels[:1], own.labels)


@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("size", [0, N, 1000])
def test_a_whole_split_is_one_batch_in_its_own_order(size: int, draws: int) -> None:
    taught = examples("kl", draws)
    ((x, objective),) = taught.batches(size, [])
    assert torch.equal(x, X[taught.index])
    assert torch.equal(objective.target[:, 0], SOFT[taught.index].movedim(1, -1))
    assert list(taught.batches(size, [], skip=1)) == []
    assert len(taught) == N


TABLE = torch.randn(50, 4, generator=generator("table", 0)) * torch.tensor([1e6, 1e-3, 1.0, 0.0])
TABLE += torch.tensor([5e6, 2e-3, -1.0, 1e6])  # the last feature is constant
ROWS = torch.stack([torch.randperm(50, generator=generator("rows", draw))[:20] for draw in range(3)])


def test_features_of_each_draw_are_scaled_to_mean_0_and_deviation_1() -> None:
    scaled = scaling_of(TABLE, ROWS).scaled(TABLE[ROWS])
    assert scaled.shape == (3, 20, 4)
    assert bool((scaled[..., 3] == 0).all())
    scaled = scaled[..., :3].double()
    torch.testing.assert_close(scaled.mean(1), torch.zeros(3, 3).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(scaled.std(1, correction=0), torch.ones(3, 3).double(), rtol=1e-5, atol=0)


def test_a_feature_that_is_constant_in_training_counts_nowhere() -> None:
    seen = TABLE.clone()
    scaling = scaling_of(seen, ROWS[:1])
    others = torch.tensor([row for row in range(50) if row not in ROWS[0].tolist()])
    seen[others, 3] = 7.0
    assert bool((scaling.scaled(seen[others].unsqueeze(0))[..., 3] == 0).all())


def test_the_scaling_of_a_draw_depends_on_the_rows_of_that_draw_alone() -> None:
    scaling = scaling_of(TABLE, ROWS)
    for draw, rows in enumerate(ROWS):
        elsewhere = torch.full_like(TABLE, torch.nan)
        elsewhere[rows] = TABLE[rows]
        alone = scaling_of(elsewhere, rows.unsqueeze(0))
        assert torch.equal(alone.shift[0], scaling.shift[draw])
        assert torch.equal(alone.scale[0], scaling.scale[draw])
    assert not torch.equal(scaling.shift[0], scaling.shift[1])


def test_bytes_are_scaled_as_the_numbers_that_networks_take_them_for() -> None:
    x = torch.randint(0, 256, (50, 4), generator=generator("bytes", 0)).to(torch.uint8)
    ours, theirs = (scaling_of(values, ROWS) for values in (x, x.float() / 255))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(ours.scaled(x[ROWS]), theirs.scaled(x[ROWS].float() / 255))


def test_batches_and_runs_are_scaled_by_their_draw() -> None:
    taught = examples("kl", 2)
    scaled = replace(taught, scaling=scaling_of(3 * X - 1, taught.index))
    assert scaled.scaling is not None
    expected = [(X - shift) / scale for shift, scale in zip(*scaled.scaling, strict=True)]
    whole = torch.stack([x[rows] for x, rows in zip(expected, taught.index, strict=True)])
    torch.testing.assert_close(scaled.whole, whole)
    torch.testing.assert_close(scaled.run(3, 50), whole[:, 3:50])
    batches = [[x for x, _ in each.batches(32, orders_of(2, 3), skip=1)] for each in (scaled, taught)]
    for ours, raw in zip(*batches, strict=True):
        for group in range(6):
            shift, scale = (values[group // 3] for values in scaled.scaling)
            torch.testing.assert_close(ours[group], (raw[group] - shift) / scale)
