"""Checks by the labels whether a teacher's answers are in the order of the classes and of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdcli.errors import KdError
from kdcli.words import listed

if TYPE_CHECKING:
    from torch import Tensor

GAIN = 0.1  # gain in accuracy from which another order is suspected
SURE = 1e-4  # largest probability of such a gain by chance
DOUBTFUL = 0.01  # the same for a teacher that is worse than always predicting one class
SHOWN = 3  # classes that a message names
SHIFTS = {
    1: "each answer looks like that of the row before",
    -1: "each answer looks like that of the row after",
    2: "each answer looks like that of two rows before",
    -2: "each answer looks like that of two rows after",
}


def check_order(p: Tensor, y: Tensor, classes: Sequence[str], named: str, shifted: bool = True) -> None:
    """Raise `KdError` if another order of classes, or of rows, fits the labels much better.

    `p (n, n_classes)` are probabilities or logits and `y (n,)` the labels, in the order of the source. Shifts
    by one or two rows are tested if rows may be `shifted`. Another order needs `GAIN` more accuracy, and
    significance in an exact McNemar test.
    """
    answers = p.argmax(1)
    orders = [_classes_permuted(answers, y, classes)]
    if shifted:
        orders += [_rows_shifted(answers, y, by) for by in SHIFTS if abs(by) < len(y)]
    suspected = [order for order in orders if order.suspected]
    if suspected:
        order = max(suspected, key=lambda order: order.accuracy)
        raise KdError(
            f"{named}: {order.words}; its accuracy is {100 * order.as_is:.1f} % as it is, and would be "
            f"{100 * order.accuracy:.1f} % if corrected",
            f"correct the order of {order.what}, or accept it with --trust-order",
        )


def caution(p: Tensor, y: Tensor) -> str:
    """Warn if a teacher `p (n, n_classes)` is worse than always predicting the most frequent label `y (n,)`.

    Empty if it is not, or if that may be chance.
    """
    if not len(y):
        return ""
    right, usual = p.argmax(1) == y, y == y.mode().values
    if _by_chance(usual, right) > DOUBTFUL:
        return ""
    return (
        f"the teacher is right in {100 * float(right.double().mean()):.1f} % of examples, but always "
        f"predicting the most frequent class would be in {100 * float(usual.double().mean()):.1f} %"
    )


def is_certain(logits: Tensor) -> bool:
    """Whether all answers `(…, n_classes)` give one class all of the probability, as labels do."""
    return bool((logits.isneginf().sum(-1) == logits.shape[-1] - 1).all())


class _Order(NamedTuple):
    """Another order: its accuracy, that of the given order, and the words for a message."""

    suspected: bool
    as_is: float
    accuracy: float
    words: str
    what: str


def _is_suspected(before: Tensor, after: Tensor) -> bool:
    """Whether many more rows, `(n,)` each, are right after a change than before, and not by chance."""
    gain = float(after.double().mean() - before.double().mean())
    return gain >= GAIN and _by_chance(after, before) <= SURE


def _by_chance(more: Tensor, fewer: Tensor) -> float:
    """Return the p-value of McNemar's exact one-sided test that more rows `(n,)` are right than `fewer`."""
    from scipy.stats import binom

    only, other = int((more & ~fewer).sum()), int((fewer & ~more).sum())
    return float(binom.sf(only - 1, only + other, 0.5))


def _rows_shifted(answers: Tensor, y: Tensor, by: int) -> _Order:
    """Compare answers with the labels of the rows before them, or after them if `by` is negative."""
    answers, same = (answers[by:], y[by:]) if by > 0 else (answers[:by], y[:by])
    other = y[:-by] if by > 0 else y[-by:]
    before, after = answers == same, answers == other
    accuracies = float(before.double().mean()), float(after.double().mean())
    return _Order(_is_suspected(before, after), *accuracies, SHIFTS[by], "the rows")


def _classes_permuted(answers: Tensor, y: Tensor, classes: Sequence[str]) -> _Order:
    """Compare answers with the labels under the best permutation of classes.

    The best of many permutations gains by chance alone. Suspicion is therefore based on held-out rows: the
    best permutation on each half of the rows is applied to the other half.
    """
    import torch

    from kdcli.rng import generator

    half = torch.zeros(len(y), dtype=torch.bool)
    half[torch.randperm(len(y), generator=generator("teachers/order", 0))[: len(y) // 2]] = True
    crossed = torch.empty_like(answers)
    for rows in (half, ~half):
        crossed[rows] = _best_permutation(answers[~rows], y[~rows], len(classes))[answers[rows]]
    permutation = _best_permutation(answers, y, len(classes))
    before, after = answers == y, permutation[answers] == y
    accuracies = float(before.double().mean()), float(after.double().mean())
    moved = torch.unique(answers[after & ~before]).tolist()
    pairs = [f"'{classes[k]}' looks like '{classes[int(permutation[k])]}'" for k in moved]
    more = [f"{len(pairs) - SHOWN:,} more are mixed up"] if len(pairs) > SHOWN else []
    words = f"class {listed(pairs[:SHOWN] + more)}" if pairs else ""
    return _Order(_is_suspected(before, crossed == y), *accuracies, words, "the classes")


def _best_permutation(answers: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Return the permutation of classes `(n_classes,)` with which most rows are right."""
    import torch
    from scipy.optimize import linear_sum_assignment

    confusion = torch.bincount(answers * n_classes + y, minlength=n_classes**2).view(n_classes, n_classes)
    return torch.from_numpy(linear_sum_assignment(confusion.numpy(), maximize=True)[1])
