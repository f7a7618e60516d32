from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from training.cutting import CutError, CutOff

from kdcli.losses import Objective
from kdcli.models.family import History
from kdcli.models.stack import Stack
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.training.curves import CURVE_POINTS, DivergedError
from kdcli.training.examples import Examples, evaluate
from kdcli.training.loop import fit
from kdcli.training.optimizer import Adam
from kdcli.training.state import Keeper

N, N_VAL = 90, 30  # examples of each draw, out of twice as many
X = torch.randn(2 * N, 2, generator=generator("x", 0))
BATCHES = 3  # of 32 in an epoch
LABELS = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).float()
SOFT = (torch.stack([-X[:, 0], X[:, 0]], 1) / 2).softmax(1)


def rows_of(draws: Sequence[int]) -> Tensor:
    """Return which examples the draws have, `(draws, N)`."""
    return torch.stack([torch.randperm(2 * N, generator=generator("draw", draw))[:N] for draw in draws])


def examples(sets: list[str], draws: Sequence[int] = (0,)) -> Examples:
    """Return the examples of some draws with what the sets learn on them."""
    rows = rows_of(draws)
    targets = [(SOFT if name == "soft" else LABELS)[rows].mT for name in sets]
    temperatures = torch.tensor([4.0 if name == "soft" else 1.0 for name in sets])
    objective = Objective(
        target=torch.stack(targets, 1).unsqueeze(1),
        temperature=temperatures.double().view(-1, 1, 1),
        labels=LABELS[rows].mT[:, None, None],
    )
    return Examples(X, rows, objective)


def train(
    sets: list[str],
    seeds: list[int],
    batch_size: int,
    keeper: Keeper | None = None,
    poisoned: Sequence[int] = (),
    draws: Sequence[int] = (0,),
    **changed: float,
) -> tuple[StackedMLP, History]:
    members = len(draws) * len(seeds) * len(sets)
    stack = StackedMLP((2, 4, 2), members, dropout=changed.get("dropout", 0.0))
    stack.initialise([generator("weights", seed, draw) for draw in draws for seed in seeds])
    with torch.no_grad():
        for member in poisoned:
            stack.weights[0][member, 0, 0] = torch.nan
    taught = examples(sets, draws)
    history = fit(
        stack,
        taught,
        Examples(X, taught.index[:, :N_VAL], taught.objective.part(0, N_VAL)),
        Training(int(changed.get("epochs", 40)), batch_size, changed.get("learning_rate", 0.01)),
        decay=bool(changed.get("decay", 0)),
        keep_going=bool(changed.get("keep_going", 0)),
        orders=[generator("batches", seed, draw) for draw in draws for seed in seeds],
        keeper=keeper,
    )
    return stack, history


@pytest.mark.parametrize("draws", [[0], [0, 1, 2]])
@pytest.mark.parametrize("batch_size", [0, 32])
def test_training_together_gives_what_each_gets_alone(batch_size: int, draws: list[int]) -> None:
    sets, seeds = ["labels", "soft"], [0, 1, 2]
    together, history = train(sets, seeds, batch_size, draws=draws)
    assert history.train.shape == (len(draws) * 6, 41)
    for member, (draw, seed, name) in enumerate(product(draws, seeds, sets)):
        alone, own = train([name], [seed], batch_size, draws=[draw])
        for key, value in together.state_dict().items():
            torch.testing.assert_close(value[member], alone.state_dict()[key][0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(history.train[member], own.train[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(history.val[member], own.val[0], rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_bits() -> None:
    (first, one), (again, two) = (train(["labels", "soft"], [0, 1], 32) for _ in range(2))
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in first.state_dict().items())
    assert torch.equal(one.val, two.val)


def test_curves_start_before_training_and_end_after_it() -> None:
    stack, history = train(["labels"], [0, 1], 0, epochs=3 * CURVE_POINTS + 1)
    assert history.epochs[0] == 0
    assert history.epochs[-1] == 3 * CURVE_POINTS + 1
    assert len(history.epochs) <= CURVE_POINTS + 2
    assert history.train.shape == history.val.shape == (2, len(history.epochs))
    loss, accuracy = evaluate(stack, examples(["labels"]))
    torch.testing.assert_close(history.train[:, -1], loss)
    torch.testing.assert_close(history.train_accuracy[:, -1], accuracy)
    assert bool((history.val_accuracy[:, -1] > 0.9).all())
    assert bool((history.train[:, -1] < history.train[:, 0] / 2).all())


def test_divergence_stops_at_once_and_names_the_members() -> None:
    with pytest.raises(DivergedError) as stopped:
        train(["labels", "soft"], [0, 1], 0, learning_rate=1e30)
    assert stopped.value.epoch < 10
    assert stopped.value.members


@pytest.mark.parametrize("batch_size", [0, 32])
def test_members_that_diverge_leave_the_bits_of_the_others_alone(batch_size: int) -> None:
    whole, curves = train(["labels", "soft"], [0, 1], batch_size)
    stack, history = train(["labels", "soft"], [0, 1], batch_size, poisoned=[2], keep_going=1)
    others = [0, 1, 3]
    assert all(torch.equal(v[others], stack.state_dict()[k][others]) for k, v in whole.state_dict().items())
    assert torch.equal(history.val[others], curves.val[others])
    assert curves.diverged == {}
    assert history.diverged == {2: 0}
    _, curves = train(["labels", "soft"], [0, 1], batch_size, poisoned=[0, 1, 2, 3], keep_going=1)
    assert sorted(curves.diverged) == [0, 1, 2, 3]
    assert len(curves.epochs) == 2  # no saved state is left


class Noisy(Stack):
    """A model that answers differently while it trains, as dropout does."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.mT * (torch.nan if self.training else 1.0)


def test_evaluation_is_in_evaluation_mode_and_in_chunks() -> None:
    model = Noisy()
    taught = examples(["labels"])
    whole, logits = evaluate(model.train(), taught), model.train().predict(X)
    assert bool(whole[0].isfinite().all())
    model.piece = 7
    torch.testing.assert_close(evaluate(model, taught), whole, rtol=1e-6, atol=0)
    torch.testing.assert_close(model.predict(X), logits)


def test_with_decay_the_step_size_falls_linearly_to_0(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = Adam.step

    def spy(self: Adam) -> None:
        rates.append(self.learning_rate)
        step(self)

    monkeypatch.setattr(Adam, "step", spy)
    stack = StackedMLP((2, 4, 2))
    stack.initialise([generator("weights", 0)])
    orders = [generator("batches", 0)]
    taught = examples(["labels"])
    for batch_size, steps in ((32, 6), (0, 2)):  # 90 examples make three batches
        rates.clear()
        fit(stack, taught, taught, Training(2, batch_size, 0.6), orders=orders, decay=True)
        assert rates == pytest.approx([0.6 * (1 - k / steps) for k in range(steps)])


def test_bfloat16_products_train_nearly_the_same_in_float32_parameters() -> None:
    exact, history = train(["labels"], [0], 32)
    stack = StackedMLP((2, 4, 2), 1)
    stack.initialise([generator("weights", 0)])
    rough = fit(
        stack,
        examples(["labels"]),
        examples(["labels"]),
        Training(40, 32, 0.01),
        orders=[generator("batches", 0)],
        precision=torch.bfloat16,
    )
    assert {parameter.dtype for parameter in stack.parameters()} == {torch.float32}
    assert float(rough.train[0, -1]) == pytest.approx(float(history.train[0, -1]), rel=0.1)
    pairs = zip(stack.parameters(), exact.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)  # the products really were rounded


@pytest.mark.parametrize("batch_size", [0, 32])
@pytest.mark.parametrize(("dropout", "draws"), [(0.0, [0]), (0.5, [0]), (0.5, [0, 1])])
def test_a_training_that_was_cut_off_ends_with_the_same_bits(
    batch_size: int, dropout: float, draws: list[int]
) -> None:
    changed: dict[str, Any] = {"epochs": 6, "dropout": dropout, "decay": 1, "draws": draws}
    whole, curves = train(["labels", "soft"], [0, 1], batch_size, **changed)
    for after in range(1, 20 if batch_size else 8):
        keeper = CutOff(after)
        with pytest.raises(CutError):
            train(["labels", "soft"], [0, 1], batch_size, keeper, **changed)
        stack, history = train(["labels", "soft"], [0, 1], batch_size, keeper, **changed)
        assert all(torch.equal(v, stack.state_dict()[k]) for k, v in whole.state_dict().items()), after
        assert all(torch.equal(a, b) for a, b in zip(curves, history, strict=True)), after


def test_a_training_that_went_on_without_a_member_stops_where_it_is_not_to() -> None:
    keeper, poisoned = CutOff(3), [2]
    with pytest.raises(CutError):
        train(["labels", "soft"], [0, 1], 32, keeper, poisoned, keep_going=1)
    with pytest.raises(DivergedError):
        train(["labels", "soft"], [0, 1], 32, keeper, poisoned)
    _, history = train(["labels", "soft"], [0, 1], 32, keeper, poisoned, keep_going=1)
    assert history.diverged == {2: 0}
