"""The epoch whose model is kept, with a loop that looks at every epoch as the oracle."""

from collections.abc import Sequence
from functools import cache
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from training.cutting import CutError, CutOff

from kdcli.losses import Objective
from kdcli.models.family import History
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator
from kdcli.runs.pairing import pairing_differences
from kdcli.runs.recipe import Students, Training
from kdcli.runs.student_sets import StudentSet, student_sets
from kdcli.training.curves import CURVE_POINTS
from kdcli.training.examples import Examples, Scaling, scaling_of
from kdcli.training.loop import fit

N, N_VAL, EPOCHS = 24, 30, 20  # few examples with wrong labels, so that training soon makes models worse
X = torch.randn(200, 2, generator=generator("x", 0))
Y = torch.where(torch.rand(200, generator=generator("wrong", 0)) < 0.25, 0, (X[:, 0] > 0).long())
LABELS = F.one_hot(Y, 2).double()
SOFT = (torch.stack([-X[:, 1], X[:, 0]], 1)).double().softmax(1)
TEMPERATURES, WEIGHTS = [1.0, 4.0, 1.0], [0.0, 0.0, 0.5]  # of labels, soft, and soft mixed with labels
DRAWS, SEEDS, SETS = [0, 1], [3, 5, 8], 3


def rows_of(split: str) -> Tensor:
    """Return which examples each draw has in a split."""
    order = torch.stack([torch.randperm(200, generator=generator("draw", draw)) for draw in DRAWS])
    return order[:, :N] if split == "train" else order[:, N : N + N_VAL]


def examples(split: str, scaling: Scaling | None = None) -> Examples:
    rows = rows_of(split)
    objective = Objective(
        target=torch.stack([target[rows].mT for target in (LABELS, SOFT, SOFT)], 1).unsqueeze(1),
        temperature=torch.tensor(TEMPERATURES).double().view(-1, 1, 1),
        labels=LABELS[rows].mT[:, None, None],
        label_weight=torch.tensor(WEIGHTS).double().view(-1, 1, 1),
    )
    return Examples(X, rows, objective, scaling)


def untrained(dropout: float = 0.0) -> StackedMLP:
    stack = StackedMLP((2, 12, 2), len(DRAWS) * len(SEEDS) * SETS, dropout=dropout)
    stack.initialise([generator("weights", seed, draw) for draw, seed in product(DRAWS, SEEDS)])
    return stack


def train(
    select: str,
    epochs: int = EPOCHS,
    batch_size: int = 8,
    *,
    keeper: CutOff | None = None,
    poisoned: Sequence[int] = (),
    dropout: float = 0.0,
    learning_rate: float = 0.1,
    scaling: Scaling | None = None,
) -> tuple[StackedMLP, History]:
    stack = untrained(dropout)
    with torch.no_grad():
        stack.weights[0][list(poisoned)] = torch.nan
    history = fit(
        stack,
        examples("train", scaling),
        examples("val", scaling),
        Training(epochs, batch_size, learning_rate, select),
        orders=[generator("batches", seed, draw) for draw, seed in product(DRAWS, SEEDS)],
        keeper=keeper,
        keep_going=bool(poisoned),
    )
    return stack, history


def nll(stack: StackedMLP, scaling: Scaling | None = None) -> Tensor:
    """Return the NLL of the validation labels of every member, computed plainly."""
    values = []
    for draw, rows in enumerate(rows_of("val")):
        x = X[rows] if scaling is None else (X[rows] - scaling.shift[draw]) / scaling.scale[draw]
        logits = stack.eval()(x.unsqueeze(0)).detach().double().mT
        of_draw = logits.unflatten(0, (len(DRAWS), -1))[draw]
        values += [F.cross_entropy(of_member, Y[rows]) for of_member in of_draw]
    return torch.stack(values)


@cache
def every_epoch(batch_size: int) -> tuple[list[StackedMLP], Tensor]:
    """Return the stack after each number of epochs, and the NLLs `(epochs + 1, members)`."""
    stacks = [untrained()]
    stacks += [train("last", epochs, batch_size)[0] for epochs in range(1, EPOCHS + 1)]
    return stacks, torch.stack([nll(stack) for stack in stacks])


@pytest.mark.parametrize("batch_size", [0, 8])
def test_each_member_ends_with_the_parameters_of_its_best_epoch(batch_size: int) -> None:
    stacks, losses = every_epoch(batch_size)
    best = losses.argmin(0).tolist()
    assert len(set(best)) > 3  # the members have epochs of their own, most of them on the way
    assert any(0 < epoch < EPOCHS for epoch in best)
    stack, _ = train("best", batch_size=batch_size)
    for name, tensor in stack.state_dict().items():
        for member, epoch in enumerate(best):
            assert torch.equal(tensor[member], stacks[epoch].state_dict()[name][member]), (name, member)
    torch.testing.assert_close(nll(stack), losses.amin(0))


@pytest.mark.parametrize("batch_size", [0, 8])
def test_selection_leaves_the_curves_and_the_last_epoch_as_they_are(batch_size: int) -> None:
    (last, curves), (best, of_best) = (train(select, batch_size=batch_size) for select in ("last", "best"))
    assert all(torch.equal(a, b) for a, b in zip(curves, of_best, strict=True))
    final = every_epoch(batch_size)[0][-1].state_dict()
    assert all(torch.equal(tensor, final[name]) for name, tensor in last.state_dict().items())
    assert not torch.equal(best.weights[0], last.weights[0])
    assert Training().select == "last"


def test_a_model_that_gets_worse_at_once_stays_as_it_started() -> None:
    stack, history = train("best", 3, learning_rate=30.0)
    worse = (nll(untrained()).unsqueeze(1) < history.val[:, 1:]).all(1) & (torch.arange(18) % SETS == 0)
    assert bool(worse.any())
    for parameter, before in zip(stack.parameters(), untrained().parameters(), strict=True):
        assert torch.equal(parameter[worse], before[worse])


def test_it_looks_where_curves_have_points() -> None:
    epochs = 2 * CURVE_POINTS + 1
    stack, history = train("best", epochs, batch_size=0, learning_rate=0.01)
    assert len(history.epochs) < epochs
    of_labels = slice(0, None, SETS)  # whose validation loss is the NLL
    torch.testing.assert_close(nll(stack)[of_labels], history.val[of_labels].amin(1))


@pytest.mark.parametrize("batch_size", [0, 8])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_training_that_was_cut_off_ends_with_the_same_bits(batch_size: int, dropout: float) -> None:
    whole, curves = train("best", batch_size=batch_size, dropout=dropout)
    saves = EPOCHS * (3 if batch_size else 1) + 1  # the last once all is trained
    for after in (*range(1, saves, 5), saves):
        cut = CutOff(after)
        with pytest.raises(CutError):
            train("best", batch_size=batch_size, dropout=dropout, keeper=cut)
        stack, history = train("best", batch_size=batch_size, dropout=dropout, keeper=cut)
        assert all(torch.equal(v, stack.state_dict()[k]) for k, v in whole.state_dict().items()), after
        assert all(torch.equal(a, b) for a, b in zip(curves, history, strict=True)), after
    assert cut.saves == saves + 1


def test_members_that_diverge_leave_the_selection_of_the_others_alone() -> None:
    whole, _ = train("best")
    stack, history = train("best", poisoned=[4])
    others = [member for member in range(18) if member != 4]
    assert list(history.diverged) == [4]
    assert all(torch.equal(v[others], stack.state_dict()[k][others]) for k, v in whole.state_dict().items())


def test_standardised_members_are_selected_on_standardised_validation_examples() -> None:
    scaling = scaling_of(10 * X + 3, rows_of("train"))
    stacks = [untrained()] + [train("last", epochs, scaling=scaling)[0] for epochs in range(1, 7)]
    losses = torch.stack([nll(stack, scaling) for stack in stacks])
    stack, _ = train("best", 6, scaling=scaling)
    for name, tensor in stack.state_dict().items():
        for member, epoch in enumerate(losses.argmin(0).tolist()):
            assert torch.equal(tensor[member], stacks[epoch].state_dict()[name][member])


def student_set(**settings: object) -> StudentSet:
    (made,) = student_sets(Students(**{"targets": ("soft",), "models": ("mlp:4",), **settings}))  # type: ignore[arg-type]
    return made


def test_a_set_knows_which_epoch_is_kept() -> None:
    last, best = student_set(), student_set(select="best")
    assert last != best
    assert (last.to_record()["select"], best.to_record()["select"]) == ("last", "best")
    assert StudentSet.from_record(best.to_record()) == best
    assert [word for word in best.words(best.name) if "best" in word] != []
    assert pairing_differences(last, best) == ["select (last, not best)"]
    assert pairing_differences(last.taught_instead("labels"), last) == []
    assert best.taught_instead("labels").settings.select == "best"  # so is its control


def test_no_epoch_is_kept_of_a_tree() -> None:
    tree = student_set(models=("tree",), select="best")
    assert tree == student_set(models=("tree",))
    assert "select" not in tree.to_record()
