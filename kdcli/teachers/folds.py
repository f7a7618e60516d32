"""Folds: parts of the training examples, each labelled by a teacher trained on all other parts."""

import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from kdcli.errors import KdError
from kdcli.rng import generator, state

STREAM = "teacher/folds"


@dataclass(frozen=True)
class Held:
    """Folds of one size: the held-out examples `apart (folds, m)`, and all `others (folds, n)`.

    They are indices into the training split. `draws` and `numbers` identify each fold.
    """

    draws: list[int]
    numbers: list[int]
    apart: Tensor
    others: Tensor


def stratified_folds(y: Tensor, count: int, seed: int, draw: int) -> Tensor:
    """Return the fold of each example with labels `y (n,)`; folds are equal in size and balanced by class."""
    mixed = torch.randperm(len(y), generator=generator(STREAM, seed, draw))
    order = mixed[y[mixed].argsort(stable=True)]
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(y)) % count)


def group_folds(y: Tensor, group: Tensor, count: int, seed: int, draw: int) -> Tensor:
    """Return the fold of each example, with each group `(n,)` in one fold, and classes roughly balanced.

    Raises `KdError` if there are fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    most = min(len(torch.unique(group)), int(y.bincount().max()))
    if most < count:
        few = f"{len(torch.unique(group))} groups of training rows, or the rows of each class, are too few"
        raise KdError(f"{few} for {count} folds", f"use at most --folds {most}")
    folds = torch.empty_like(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes with fewer groups than folds
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=state(STREAM, seed, draw))
        for k, (_, apart) in enumerate(splitter.split(y.numpy(), y.numpy(), group.numpy())):
            folds[torch.from_numpy(apart)] = k
    return folds


def held_out(folds: list[Tensor], count: int) -> Iterator[Held]:
    """Yield the folds of all draws, `(n,)` each; folds of one size come together, to be trained as one."""
    of_size: dict[int, list[tuple[int, int, Tensor, Tensor]]] = defaultdict(list)
    for draw, fold in enumerate(folds):
        for k in range(count):
            apart = (fold == k).nonzero().squeeze(1)
            others = (fold != k).nonzero().squeeze(1)
            of_size[len(apart)].append((draw, k, apart, others))
    for parts in of_size.values():
        yield Held(
            [draw for draw, _, _, _ in parts],
            [k for _, k, _, _ in parts],
            torch.stack([apart for _, _, apart, _ in parts]),
            torch.stack([others for _, _, _, others in parts]),
        )
