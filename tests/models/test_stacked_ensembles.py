import pytest
import torch
from torch import Tensor

from kdcli.models.ensemble import Ensemble
from kdcli.models.family import Fitted, History
from kdcli.models.linear import Linear
from kdcli.models.mlp import MLP
from kdcli.models.stack import Stack
from kdcli.models.stacked_ensembles import StackedEnsembles, joined, log_mean
from kdcli.rng import generator

X = torch.randn(4, 6, 3, generator=generator("x", 0))
COUNTS = (3, 1)
ENSEMBLE = Ensemble(((3, MLP((5,))), (1, Linear())))


def ensembles(members: int = 4) -> tuple[StackedEnsembles, list[Stack]]:
    """Return ensembles of perceptrons and linear models, and the stacks that they are made of."""
    stacks = []
    for number, (count, model) in enumerate(ENSEMBLE.components):
        stack = model.build((3,), 2, members * count)  # type: ignore[attr-defined]
        stack.initialise([generator(f"weights.{number}", k) for k in range(members * count)])
        stacks.append(stack)
    return StackedEnsembles(stacks, COUNTS), stacks


def expected(stacks: list[Stack], x: Tensor, member: int) -> Tensor:
    """Return the mean probabilities `(n, n_classes)` of a member's models."""
    first, second = (stack.predict(x).double().softmax(2) for stack in stacks)
    return torch.cat([first[3 * member : 3 * member + 3], second[member : member + 1]]).mean(0)


def test_probabilities_are_the_means_of_those_of_all_models() -> None:
    ensemble, stacks = ensembles()
    assert ensemble.members == 4
    predicted = ensemble.predict(X[0])
    assert predicted.dtype == torch.float64
    assert predicted.shape == (4, 6, 2)
    for member in range(4):
        torch.testing.assert_close(predicted[member].exp(), expected(stacks, X[0], member))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_members_are_split_evenly_over_groups(groups: int) -> None:
    ensemble, stacks = ensembles()
    for member, log_p in enumerate(ensemble(X[:groups])):
        group = member * groups // 4
        torch.testing.assert_close(log_p.mT.exp(), expected(stacks, X[group], member), rtol=1e-5, atol=1e-6)


def test_every_group_has_examples_of_its_own() -> None:
    ensemble, _ = ensembles()
    index = torch.tensor([[0, 1, 2], [3, 4, 5]])
    apart = torch.cat([ensemble.predict(X[0], rows[None])[2 * k : 2 * k + 2] for k, rows in enumerate(index)])
    torch.testing.assert_close(ensemble.predict(X[0], index), apart)


def test_what_was_stored_is_restored_for_all_and_for_one() -> None:
    ensemble, _ = ensembles()
    stored = ensemble.parameters_of(range(4))
    assert stored["0.weights.0"].shape[:2] == (4, 3)
    assert stored["1.weights.0"].shape[:2] == (4, 1)
    assert torch.equal(ENSEMBLE.restore(stored, (3,), 2, 4).predict(X[0]), ensemble.predict(X[0]))
    one = ENSEMBLE.restore(ensemble.parameters_of([2]), (3,), 2, 1)
    torch.testing.assert_close(one.predict(X[0])[0], ensemble.predict(X[0])[2])


def test_tensors_that_do_not_fit_are_refused() -> None:
    stored = ensembles()[0].parameters_of(range(4))
    with pytest.raises(ValueError, match="does not fit 2 ensembles with 3 such members"):
        ENSEMBLE.restore(stored, (3,), 2, 2)
    with pytest.raises(ValueError, match=r"2\.weights belongs to none of the models"):
        ENSEMBLE.restore({**stored, "2.weights": torch.zeros(4, 1)}, (3,), 2, 4)
    with pytest.raises(ValueError, match="parameters that do not fit linear"):
        ENSEMBLE.restore({k: v for k, v in stored.items() if k[0] == "0"}, (3,), 2, 4)


def test_its_numbers_are_those_of_all_models() -> None:
    ensemble, _ = ensembles()
    count = 3 * (3 * 5 + 5 + 5 * 2 + 2) + (3 * 2 + 2)
    assert ensemble.numbers() == (count, 4 * count)


def test_an_excluded_class_is_possible_where_one_model_allows_it() -> None:
    certain = torch.tensor([0.0, -torch.inf]).view(1, 1, 2)
    torch.testing.assert_close(
        log_mean([certain, torch.zeros(1, 1, 2)], -1).exp(), torch.tensor([[0.75, 0.25]]).double()
    )
    assert log_mean([certain, certain], -1).tolist() == [[0, -torch.inf]]


def fitted(*losses: float, points: int = 2) -> Fitted:
    curves = torch.tensor(losses).double().view(1, -1, 1).expand(1, -1, points)
    history = History(torch.arange(points), curves, 2 * curves, curves / 10, curves / 20) if losses else None
    logits = {"test": torch.zeros(1, len(losses) or 2, 3, 2)}
    return Fitted([0], {}, logits, 0.5, history, used={"threads": str(points), "device": "cpu"})


def test_curves_are_means_over_all_members_and_what_was_used_is_listed() -> None:
    both = joined([0], [3, 1], [fitted(1, 2, 3), fitted(10)])
    assert both.history is not None
    assert both.history.train.tolist() == [[[4, 4]]]
    assert both.history.val.tolist() == [[[8, 8]]]
    assert both.history.train_accuracy.tolist() == [[[0.4, 0.4]]]
    assert both.history.val_accuracy.tolist() == [[[0.2, 0.2]]]
    assert both.used == {"threads": "2", "device": "cpu"}
    assert both.seconds == 1
    assert joined([0], [3, 1], [fitted(1, 2, 3), fitted(10, points=3)]).history is None
    assert joined([0], [3, 2], [fitted(1, 2, 3), fitted()]).history is None
    assert joined([0], [1, 1], [fitted(1), fitted(1, points=3)]).used["threads"] == "2, 3"
