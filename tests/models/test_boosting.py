from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import xgboost
from models.test_stacked_forests import Unwatched
from torch import Tensor

from kdcli.losses import distillation_loss
from kdcli.models.boosting import Boosting, arrays_of, derivatives
from kdcli.models.family import Fitted, Lesson, Teaching
from kdcli.models.gbdt import Gbdt
from kdcli.models.stacked_boosted import StackedBoosted, as_logits, restore
from kdcli.models.taught import Taught

N, VAL = 400, 200
RANDOM = torch.Generator().manual_seed(3)
X = torch.randn(N + VAL, 4, generator=RANDOM)
SCORES = torch.stack([2 * X[:, 0], X[:, 1] * X[:, 2], X[:, 3].abs()], 1).double()
INDEX = {"train": torch.arange(N), "val": torch.arange(N, N + VAL), "test": torch.arange(N, N + VAL)}
BOOSTING = Boosting(rounds=8, leaves=5, learning_rate=0.3)


def problem(n_classes: int) -> tuple[Tensor, Tensor]:
    """Soft targets and one-hot labels of all examples, `(n, n_classes)`."""
    soft = SCORES[:, :n_classes].softmax(1)
    y = torch.multinomial(soft, 1, generator=torch.Generator().manual_seed(1)).squeeze(1)
    return soft, torch.nn.functional.one_hot(y, n_classes).double()


def fit(
    target: Tensor,
    labels: Tensor,
    model: Gbdt,
    seeds: Sequence[int] = (0,),
    weights: Tensor | None = None,
    **lesson: Any,
) -> Fitted:
    index = {split: rows.unsqueeze(0) for split, rows in INDEX.items()}
    of_splits: Mapping[str, Tensor] = {split: target[index[split]] for split in ("train", "val")}
    teaching = Teaching(
        X,
        index,
        {split: labels[index[split]] for split in ("train", "val")},
        [Lesson(of_splits, **lesson)],
        seeds,
        "student",
        ["test"],
        weights=None if weights is None else {split: weights[index[split]] for split in ("train", "val")},
    )
    (fitted,) = model.train(teaching, Unwatched())  # type: ignore[arg-type]
    return fitted


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("label_weight", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_derivatives_are_those_of_the_loss(
    n_classes: int, temperature: float, label_weight: float, weighted: bool
) -> None:
    soft, labels = problem(n_classes)
    weights = torch.rand(N + VAL, dtype=torch.float64, generator=RANDOM) if weighted else None
    taught = Taught(X.numpy(), soft, labels, temperature, label_weight, weights)
    margins = torch.randn(N + VAL, 1 if n_classes == 2 else n_classes, generator=RANDOM).double()
    leaf = margins.requires_grad_()
    parts = (1 - label_weight) * distillation_loss(as_logits(leaf).mT, soft.mT, temperature, weights)
    parts = parts + label_weight * distillation_loss(as_logits(leaf).mT, labels.mT, 1.0, weights)
    found = float(taught.losses(as_logits(margins.detach())).mean())
    assert float(parts.detach()) == pytest.approx(found, rel=1e-12)
    (gradient,) = torch.autograd.grad(parts * len(margins), leaf, create_graph=True)
    columns = [
        torch.autograd.grad(gradient[:, k].sum(), leaf, retain_graph=True)[0][:, k]
        for k in range(margins.shape[1])
    ]
    own = derivatives(taught, margins.detach())
    torch.testing.assert_close(own[0], gradient.detach())
    torch.testing.assert_close(own[1], torch.stack(columns, 1) * (1 if n_classes == 2 else 2))


@pytest.mark.parametrize(("n_classes", "name"), [(2, "binary:logistic"), (3, "multi:softprob")])
def test_labels_give_the_trees_of_the_objective_that_xgboost_has_for_labels(
    n_classes: int, name: str
) -> None:
    _, labels = problem(n_classes)
    taught = Taught(X[:N].numpy(), labels[:N], labels[:N])
    base = torch.zeros(1 if n_classes == 2 else n_classes, dtype=torch.float64)
    usual = {
        "max_leaves": 5,
        "grow_policy": "lossguide",
        "max_depth": 0,
        "tree_method": "hist",
        "base_score": 0.0,
    }
    usual |= {"nthread": 1, "verbosity": 0, **({"num_class": n_classes} if n_classes > 2 else {})}
    matrix = xgboost.DMatrix(X[:N].numpy(), labels[:N].argmax(1).numpy())
    matrix.set_base_margin(base.expand(N, -1).float().numpy())
    own, theirs = (xgboost.Booster(usual | more, [matrix]) for more in ({}, {"objective": name}))
    for number in range(5):
        margins = torch.from_numpy(own.predict(matrix, output_margin=True).reshape(N, -1)).double()
        gradient, curvature = (part.float().numpy() for part in derivatives(taught, margins))
        own.boost(matrix, iteration=number, grad=gradient, hess=curvature)
        theirs.update(matrix, number)
    expected = theirs.predict(matrix, output_margin=True)
    np.testing.assert_allclose(own.predict(matrix, output_margin=True), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_arrays_predict_what_xgboost_predicts_at_thresholds_too(n_classes: int) -> None:
    soft, labels = problem(n_classes)
    taught = Taught(X[:N].numpy(), soft[:N], labels[:N])
    matrix = xgboost.DMatrix(X[:N].numpy())
    several = {"num_class": n_classes} if n_classes > 2 else {}
    booster = xgboost.Booster({"base_score": 0.0, **several}, [matrix])
    for number in range(4):
        margins = torch.from_numpy(booster.predict(matrix, output_margin=True).reshape(N, -1)).double()
        gradient, curvature = (part.float().numpy() for part in derivatives(taught, margins))
        booster.boost(matrix, iteration=number, grad=gradient, hess=curvature)
    base = torch.zeros(soft.shape[1] if n_classes > 2 else 1, dtype=torch.float64)
    trees = 4 * len(base)
    arrays = {name: tensor.unsqueeze(0) for name, tensor in arrays_of(booster, trees, base).items()}
    stack = restore(arrays, 4, n_classes, 1)
    thresholds = arrays["threshold"].flatten().float()[:, None].expand(-1, 4)
    points = torch.cat([X, thresholds, thresholds.nextafter(torch.tensor(torch.inf))])
    expected = booster.predict(xgboost.DMatrix(points.numpy()), output_margin=True)
    margins = torch.from_numpy(expected.reshape(len(points), -1)).double()
    torch.testing.assert_close(stack(points.unsqueeze(0))[0].mT, as_logits(margins), rtol=1e-5, atol=1e-5)


def test_boosting_ends_where_the_validation_loss_is_least() -> None:
    noise = torch.rand(N + VAL, generator=RANDOM).double()
    target = torch.stack([noise, 1 - noise], 1)
    fitted = fit(target, target, Gbdt(200, 31))
    assert fitted.described["rounds"][0][0] < 30
    soft, labels = problem(2)
    assert fit(soft, labels, Gbdt(8, 5)).described["rounds"] == [[8]]


def test_a_seed_varies_the_model_and_gives_the_same_one_again() -> None:
    soft, labels = problem(2)
    both = fit(soft, labels, Gbdt(8, 5), (0, 1)).logits["test"]
    again = fit(soft, labels, Gbdt(8, 5), (1,)).logits["test"]
    assert torch.equal(both[:, 1:], again)
    assert not torch.allclose(both[:, 0], both[:, 1])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_soft_targets_are_learned(n_classes: int) -> None:
    soft, labels = problem(n_classes)
    rows = INDEX["test"]

    def gap(target: Tensor) -> float:
        logits = fit(target, labels, Gbdt(60, 7)).logits["test"][0, 0]
        return float(distillation_loss(logits.mT, soft[rows].mT))

    assert gap(soft) < gap(labels) / 2


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_is_stored_is_what_predicted(n_classes: int) -> None:
    soft, labels = problem(n_classes)
    fitted = fit(soft, labels, Gbdt(20, 5), (0, 1), temperature=2.0, label_weight=0.2)
    tensors = {name: tensor.flatten(0, 1) for name, tensor in fitted.tensors.items()}
    stack = Gbdt(20, 5).restore(tensors, (4,), n_classes, 2)
    assert torch.equal(stack.predict(X[INDEX["test"]]), fitted.logits["test"][0])
    one = Gbdt(20, 5).restore(stack.parameters_of([1]), (4,), n_classes, 1)
    torch.testing.assert_close(one.predict(X[INDEX["test"]])[0], fitted.logits["test"][0, 1])


def test_heavier_examples_count_more() -> None:
    _, labels = problem(2)
    weights = 1 + 9 * labels[:, 1]
    plain, heavy = (fit(labels, labels, Gbdt(8, 5), weights=w).logits["test"] for w in (None, weights))
    assert bool((heavy[..., 1] > plain[..., 1]).float().mean() > 0.95)


def test_what_is_not_boosted_trees_is_refused() -> None:
    soft, labels = problem(3)
    fitted = fit(soft, labels, Gbdt(3, 4))
    tensors = {name: tensor.flatten(0, 1) for name, tensor in fitted.tensors.items()}
    assert isinstance(restore(tensors, 4, 3, 1), StackedBoosted)
    spoilt: list[dict[str, Tensor]] = [
        {**tensors, "feature": tensors["feature"] + 4},
        {**tensors, "branches": tensors["branches"] * 0 + 1},
        {**tensors, "value": tensors["value"] * torch.nan},
        {**tensors, "base": tensors["base"] * torch.inf},
        {**tensors, "base": tensors["base"][:, :2]},
        {**tensors, "value": tensors["value"][:, :-1]},
        {name: tensor[:, :-1] if name != "base" else tensor for name, tensor in tensors.items()},
        {name: tensor for name, tensor in tensors.items() if name != "value"},
    ]
    for arrays in spoilt:
        with pytest.raises(ValueError, match=r"array|tree|leaf|feature|child|value|ways"):
            restore(arrays, 4, 3, 1)


def test_rounds_are_at_most_those_asked_for() -> None:
    assert BOOSTING.patience == 10
    assert Boosting(300, 31, 0.05).patience == 30
