"""Boosts trees on class probabilities, with XGBoost.

Chen and Guestrin, "XGBoost: a scalable tree boosting system" (2016). Each round fits trees to the gradient
and the curvature of the distillation loss at the current margins; XGBoost's own objectives only take labels.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from kdcli import workers
from kdcli.models.family import Fitted, Lesson, Teaching, Workshop
from kdcli.models.growing import Arrays, grow_each
from kdcli.models.stacked_boosted import StackedBoosted, as_logits, margins_of
from kdcli.models.taught import Taught
from kdcli.models.tree_arrays import WAYS
from kdcli.rng import state

ROWS, COLUMNS = 0.8, 0.8  # the shares of rows and of columns that each round draws
LARGE = 5 * 10**9  # examples times features times rounds, from which threads are worthwhile
FLAT = 1e-16  # the least curvature


@dataclass(frozen=True)
class Boosting:
    """The settings of boosting: the maximal number of `rounds`, the `leaves` of a tree, the learning rate."""

    rounds: int
    leaves: int
    learning_rate: float

    @property
    def patience(self) -> int:
        """Rounds without a better validation loss after which boosting ends."""
        return max(10, self.rounds // 10)


def start(taught: Taught) -> Tensor:
    """Return the margins `(margins,)` of the mean target, with one added example of each class."""
    weights = torch.ones(len(taught.target)) if taught.weights is None else taught.weights
    logits = taught.temperature * (taught.target.mT @ weights.double() + 1).log()
    return (logits - logits[0])[1:] if len(logits) == 2 else logits - logits.mean()


def derivatives(taught: Taught, margins: Tensor) -> tuple[Tensor, Tensor]:
    """Return gradient and curvature of each example's loss in the `margins (n, margins)`, of the same shape.

    The gradient of T² · KL(q ‖ p), with p = softmax(z / T), is T · (p − q), and its derivative in the same
    margin p · (1 − p). With more than two classes, whose margins change together, the curvature is twice
    that, as in XGBoost's objective for labels.
    """
    logits, several = as_logits(margins), margins.shape[1]
    gradient, curvature = torch.zeros_like(margins), torch.zeros_like(margins)
    for share, rows, temperature in taught.parts:
        p = (logits / temperature).softmax(1)[:, -several:]
        gradient += share * temperature * (p - rows[:, -several:])
        curvature += share * (p * (1 - p)).clamp_min(FLAT)
    if taught.weights is not None:
        gradient, curvature = gradient * taught.weights[:, None], curvature * taught.weights[:, None]
    return gradient, curvature if several == 1 else 2 * curvature


def boost_sets(boosting: Boosting, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
    """Boost the models set by set."""
    work = teaching.n_train * teaching.x[0].numel() * boosting.rounds
    threads = workers.jobs() if work >= LARGE else 1
    grow = partial(boost, boosting, teaching, threads)
    for fitted in grow_each(teaching, workshop, boosting.rounds, grow, stacked, "round"):
        yield replace(fitted, used={"threads": str(threads)})


def boost(
    boosting: Boosting,
    teaching: Teaching,
    threads: int,
    lesson: Lesson,
    draw: int,
    done: Callable[[int], None],
) -> Iterator[Arrays]:
    """Boost the models of a set in one draw, one for each seed."""
    import xgboost

    train, val = (Taught.of(teaching, lesson, draw, split) for split in ("train", "val"))
    learned = xgboost.QuantileDMatrix(train.points, nthread=threads)
    held_out = xgboost.QuantileDMatrix(val.points, ref=learned, nthread=threads)
    classes = teaching.n_classes
    for place, seed in enumerate(teaching.seeds):
        train = replace(train, target=lesson.target("train", draw, place))
        val = replace(val, target=lesson.target("val", draw, place))
        base = start(train)
        for matrix in (learned, held_out):
            matrix.set_base_margin(base.expand(matrix.num_row(), -1).float().numpy())
        booster = xgboost.Booster(
            {
                "tree_method": "hist",
                "grow_policy": "lossguide",
                "max_depth": 0,
                "max_leaves": boosting.leaves,
                "learning_rate": boosting.learning_rate,
                "subsample": ROWS,
                "colsample_bytree": COLUMNS,
                "seed": state(f"{teaching.role}/gbdt", seed, draw) % 2**31,
                "nthread": threads,
                "verbosity": 0,
                "base_score": 0.0,
                **({"num_class": classes} if classes > 2 else {}),
            },
            [learned, held_out],
        )
        best = _boosted(booster, boosting, (learned, train), (held_out, val), done)
        yield arrays_of(booster, best * margins_of(classes), base)


def _boosted(
    booster: Any,
    boosting: Boosting,
    learned: tuple[Any, Taught],
    held_out: tuple[Any, Taught],
    done: Callable[[int], None],
) -> int:
    """Boost while the validation loss falls; returns the number of rounds with the lowest loss."""

    def margins(matrix: Any) -> Tensor:
        predicted = booster.predict(matrix, output_margin=True)
        return torch.from_numpy(predicted.reshape(matrix.num_row(), -1)).double()

    best, least = 1, np.inf
    for number in range(boosting.rounds):
        gradient, curvature = derivatives(learned[1], margins(learned[0]))
        booster.boost(
            learned[0], iteration=number, grad=gradient.float().numpy(), hess=curvature.float().numpy()
        )
        loss = float(held_out[1].losses(as_logits(margins(held_out[0]))).mean())
        if loss < least:
            best, least = number + 1, loss
        done(1)
        if number + 1 - best >= boosting.patience:
            done(boosting.rounds - number - 1)
            break
    return best


def arrays_of(booster: Any, trees: int, base: Tensor) -> Arrays:
    """Return the first `trees` that XGBoost grew, as arrays, read from its JSON."""
    import json

    model = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]
    grown = [_tree(tree) for tree in model["trees"][:trees]]
    most = max(len(tree["feature"]) for tree in grown)
    filled = {name: [_filled(tree[name], most) for tree in grown] for name in (*WAYS, "value")}
    return {name: torch.stack(tensors) for name, tensors in filled.items()} | {"base": base}


def _tree(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return one of XGBoost's trees as arrays.

    XGBoost goes left if a feature is below a threshold, both float32; the arrays go left if it is at most the
    next smaller float.
    """
    branches = torch.tensor([tree["left_children"], tree["right_children"]]).T
    leaf = branches[:, 0] < 0
    conditions = torch.tensor(tree["split_conditions"], dtype=torch.float32)
    before = conditions.nextafter(torch.tensor(-torch.inf)).double()
    return {
        "feature": torch.tensor(tree["split_indices"]).where(~leaf, 0),
        "threshold": before.where(~leaf, 0.0),
        "branches": branches.clamp_min(0),
        "value": conditions.double().where(leaf, 0.0),
    }


def _filled(tensor: Tensor, size: int) -> Tensor:
    """Pad the first axis of a tensor with zeros."""
    return pad(tensor, (*(0, 0) * (tensor.ndim - 1), 0, size - len(tensor)))


def stacked(models: Sequence[Arrays]) -> StackedBoosted:
    """Return models as one stack, with arrays padded to the largest model's."""
    trees, nodes = (max(arrays["feature"].shape[k] for arrays in models) for k in (0, 1))

    def both(tensor: Tensor) -> Tensor:
        return _filled(_filled(tensor.transpose(0, 1), nodes).transpose(0, 1), trees)

    arrays = {name: torch.stack([both(model[name]) for model in models]) for name in (*WAYS, "value")}
    return StackedBoosted(arrays | {"base": torch.stack([model["base"] for model in models])})
