import pytest
import torch

from kdcli.losses import Objective
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator
from kdcli.training.curves import CURVE_POINTS, Curves, DivergedError
from kdcli.training.examples import Examples, evaluate

X = torch.randn(20, 2, generator=generator("x", 0))
LABELS = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).T.double()
TARGET = LABELS.view(1, 1, 1, 2, 20)
EXAMPLES = Examples(X, torch.arange(20).unsqueeze(0), Objective(TARGET, torch.ones(1, 1, 1).double(), TARGET))


def make(epochs: int = 10, *, keep_going: bool = False) -> tuple[StackedMLP, Curves]:
    stack = StackedMLP((2, 3, 2), 2)
    stack.initialise([generator("weights", seed) for seed in range(2)])
    return stack, Curves(stack, EXAMPLES, EXAMPLES, epochs, torch.float32, keep_going=keep_going)


@pytest.mark.parametrize("epochs", [1, 7, CURVE_POINTS, 3 * CURVE_POINTS + 1])
def test_points_are_spread_over_all_epochs_and_the_last_is_one(epochs: int) -> None:
    _, curves = make(epochs)
    due = [epoch for epoch in range(1, epochs + 1) if curves.due(epoch)]
    assert due[-1] == epochs
    assert len(due) <= CURVE_POINTS + 1
    assert len(due) >= min(epochs, CURVE_POINTS // 2)


def test_restored_curves_go_on_as_they_were() -> None:
    stack, curves = make()
    curves.record(0)
    curves.record(3)
    history = curves.history()
    assert history.epochs.tolist() == [0, 3]
    loss, accuracy = evaluate(stack, EXAMPLES)
    assert torch.equal(history.train[:, 1], loss)
    assert torch.equal(history.val_accuracy[:, 1], accuracy)
    _, again = make()
    again.restore(history._asdict())
    assert all(torch.equal(a, b) for a, b in zip(again.history(), history, strict=True))
    assert again.mean_loss == curves.mean_loss


def test_a_loss_that_is_not_finite_raises_or_is_left_to_the_curves() -> None:
    stack, curves = make()
    tolerated = make(keep_going=True)[1]
    tolerated.model = stack
    with torch.no_grad():
        stack.weights[0][1] = torch.nan
    with pytest.raises(DivergedError) as stopped:
        curves.record(4)
    assert (stopped.value.epoch, stopped.value.members) == (4, [1])
    tolerated.record(4)
    assert tolerated.history().diverged == {1: 4}
    assert tolerated.mean_loss == pytest.approx(float(evaluate(stack, EXAMPLES)[0][0]))
    assert not tolerated.all_diverged
