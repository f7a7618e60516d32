"""The closed-form gradients of every kind of stack, with autograd as the oracle."""

import pytest
import torch
from torch import Tensor

from kdcli.losses import Objective
from kdcli.models.stack import Backward, StackedNetwork
from kdcli.models.stacked_cnn import StackedCNN
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator

SEEDS, SETS, BATCH = 2, 3, 6  # the stacks are of SEEDS of one draw, or of one seed of as many draws
SHARED, OWN, BY_DRAW = (1, 1), (1, SEEDS), (SEEDS, 1)  # draws, and batches of each: one, or one for a seed


def perceptrons(*hidden: int, dropout: float = 0.0) -> StackedMLP:
    return StackedMLP((42, *hidden, 4), SEEDS * SETS, dropout=dropout)


def convolutions(channels: int = 1) -> StackedCNN:
    return StackedCNN((channels, 6, 7), 3, (5, 4), 4, SEEDS * SETS)


STACKS = {
    "no hidden layer": perceptrons,
    "one": lambda: perceptrons(5),
    "three": lambda: perceptrons(5, 4, 3),
    "dropout": lambda: perceptrons(5, 4, dropout=0.5),
    "cnn": convolutions,
    "cnn of colours": lambda: convolutions(3),
}


def features(kind: str) -> tuple[int, ...]:
    return (3, 6, 7) if kind == "cnn of colours" else (6, 7)


def objective(batches: tuple[int, int], weights: list[float] | None) -> Objective:
    random = generator("objective", 0)
    return Objective(
        target=torch.rand(*batches, SETS, 4, BATCH, generator=random).double().softmax(-2),
        temperature=torch.tensor([1.0, 4.0, 0.5]).double().view(-1, 1, 1),
        labels=torch.rand(*batches, 1, 4, BATCH, generator=random).double().softmax(-2),
        label_weight=None if weights is None else torch.tensor(weights).double().view(-1, 1, 1),
    )


def by_set(logits: Tensor, taught: Objective) -> Tensor:
    return logits.view(len(taught.target), -1, SETS, *logits.shape[1:])


def by_autograd(stack: StackedNetwork, x: Tensor, taught: Objective) -> list[Tensor]:
    logits = stack.train()(x)
    loss = taught.loss(by_set(logits, taught)).sum()
    return list(torch.autograd.grad(loss, list(stack.parameters())))


def in_closed_form(
    stack: StackedNetwork, x: Tensor, taught: Objective, precision: torch.dtype = torch.float32
) -> list[Tensor]:
    gradients = [torch.full_like(p, torch.nan) for p in stack.parameters()]

    def upstream(logits: Tensor) -> Tensor:
        return taught.gradient(by_set(logits, taught)).view_as(logits)

    stack.add_gradients(x, Backward(upstream, gradients, precision=precision))
    return gradients


def made(kind: str) -> StackedNetwork:
    stack: StackedNetwork = STACKS[kind]()
    stack.initialise([generator("weights", seed) for seed in range(SEEDS)])
    return stack


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize("batches", [SHARED, OWN, BY_DRAW])
@pytest.mark.parametrize("weights", [None, [0.0, 0.3, 1.0]])
def test_gradients_are_those_of_autograd(
    kind: str, batches: tuple[int, int], weights: list[float] | None
) -> None:
    stack, taught = made(kind), objective(batches, weights)
    x = torch.randn(batches[0] * batches[1], BATCH, *features(kind), generator=generator("x", 0))
    masks = [mask.get_state() for mask in stack.generators]
    expected = by_autograd(stack, x, taught)
    for mask, state in zip(stack.generators, masks, strict=True):
        mask.set_state(state)
    for ours, theirs in zip(in_closed_form(stack, x, taught), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["one", "three"])
def test_gradients_of_pieces_add_up(kind: str) -> None:
    stack, taught = made(kind), objective(SHARED, None)
    x = torch.randn(1, BATCH, 6, 7, generator=generator("x", 0))
    whole, pieces = in_closed_form(stack, x, taught), [torch.zeros_like(p) for p in stack.parameters()]
    for start, stop in ((0, 4), (4, 6)):
        part = taught.part(start, stop)

        def upstream(logits: Tensor, part: Objective = part) -> Tensor:
            return part.gradient(by_set(logits, part), BATCH).view_as(logits)

        stack.add_gradients(x[:, start:stop], Backward(upstream, pieces, fresh=start == 0))
    for ours, theirs in zip(pieces, whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["three", "cnn"])
def test_products_in_bfloat16_give_nearly_the_same_gradients_in_float32(kind: str) -> None:
    stack, taught = made(kind), objective(SHARED, None)
    x = torch.rand(1, BATCH, 6, 7, generator=generator("x", 0))
    masks = [mask.get_state() for mask in stack.generators]
    exact = in_closed_form(stack, x, taught)
    for mask, state in zip(stack.generators, masks, strict=True):
        mask.set_state(state)
    rough = in_closed_form(stack, x, taught, precision=torch.bfloat16)
    for ours, theirs in zip(rough, exact, strict=True):
        assert ours.dtype == torch.float32
        assert not torch.equal(ours, theirs)
        assert float((ours - theirs).norm()) < 0.05 * float(theirs.norm())


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize("piece", [4, 100])
def test_each_group_of_members_predicts_the_examples_of_its_index(kind: str, piece: int) -> None:
    stack = made(kind)
    stack.piece = piece
    x = torch.rand(20, *features(kind), generator=generator("x", 0))
    index = torch.stack([torch.randperm(20, generator=generator("index", k))[:9] for k in range(SEEDS)])
    predicted = stack.predict(x, index)
    assert predicted.shape == (SEEDS * SETS, 9, 4)
    for group, rows in enumerate(index):
        members = slice(group * SETS, (group + 1) * SETS)
        torch.testing.assert_close(predicted[members], stack.predict(x[rows])[members])
    torch.testing.assert_close(stack.predict(x, index[:1]), stack.predict(x[index[0]]))
