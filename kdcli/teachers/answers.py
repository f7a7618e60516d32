"""A teacher's answers (probabilities, percentages, or logits), checked and converted to logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from kdcli.errors import KdError
from kdcli.words import counted, either, listed

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Array = np.ndarray[Any, Any]

SHOWN = 5  # classes that a message names
CLOSE = 1e-3  # tolerance for the sum of probabilities
ROUGH = 0.1  # largest tolerance for the sum of rounded probabilities
ROUNDED = (1e-2, 1e-3, 1e-4, 1e-5)  # steps to which probabilities may have been rounded
ROUNDING = 1e-6  # rounding error of 32-bit numbers
SAME = 1e-9  # difference below which probabilities count as equal


def logits_from(
    answers: Array,
    classes: Sequence[str],
    named: str,
    *,
    logits: bool = False,
    place: Callable[[int], str],
) -> Tensor:
    """Return a teacher's answers for n examples as natural-log logits `(n, n_classes)`, float64.

    `answers` are probabilities, percentages, or `logits`: `(n, n_classes)`, or for two classes `(n,)` or
    `(n, 1)` with the probability or the log-odds of the second. Probabilities are normalised; the logit of a
    probability of 0 is -inf. `named` names the teacher and `place` a row for a person. Raises `KdError` for
    answers that are incomplete, unclear, or the same for every row.
    """
    import numpy as np
    import torch

    values = _as_matrix(answers, classes, named)
    _check_numbers(values, named, logits, place)
    if values.shape[1] == 1:
        values = of_both_classes(values[:, 0], named, logits, place)
    elif logits:
        if len(values) and (_fits(values, 1).all() or _fits(values, 100).all()):
            _refuse_as_logits(named)
    else:
        _check_sums(values, named, place)
    if not logits:
        with np.errstate(divide="ignore"):
            values = np.log(values) - np.log(values.sum(1, keepdims=True))
    result = torch.from_numpy(values)
    probabilities = result.softmax(1)
    if len(values) > 1 and bool(((probabilities - probabilities[0]).abs() <= SAME).all()):
        raise KdError(
            f"{named} gives the same answer for every row", "check that it is the right file, column or model"
        )
    return result


def _as_matrix(answers: Array, classes: Sequence[str], named: str) -> Array:
    """Return answers as float64, a row for each example and a column for each class or for the second.

    They are in row-major order, so that sums round in the same way whatever the source of the answers.
    """
    import numpy as np

    if answers.dtype.kind not in "biuf":
        raise KdError(f"{named} has answers of the type {answers.dtype}", "probabilities are numbers")
    values = answers[:, None] if answers.ndim == 1 else answers
    allowed = (1, 2) if len(classes) == 2 else (len(classes),)
    if values.ndim != 2 or values.shape[1] not in allowed:
        more = ", …" if len(classes) > SHOWN else ""
        only = f", or only one, for '{classes[1]}'" if len(classes) == 2 else ""
        raise KdError(
            f"{named} has answers of the shape {answers.shape}; {either(allowed, 'column')} are needed",
            f"give one for each class, in the order {', '.join(classes[:SHOWN])}{more}{only}",
        )
    return np.array(values, np.float64, order="C")


def _check_numbers(values: Array, named: str, logits: bool, place: Callable[[int], str]) -> None:
    """Raise `KdError` for rows with values that are not numbers, or whose `logits` are all -inf."""
    import numpy as np

    excluded = np.isneginf(values)
    odd = (~np.isfinite(values) & ~(excluded if logits else False)).any(1)
    if odd.any():
        raise KdError(
            f"{named}: {counted(int(odd.sum()), 'row')} with a value that is missing or not finite, "
            f"first in {place(int(odd.argmax())).removeprefix(f'{named}, ')}",
            "each class needs an answer in each row",
        )
    if values.shape[1] > 1 and (none := excluded.all(1)).any():
        raise KdError(
            f"{_at(place, int(none.argmax()), named)}: -inf for all classes",
            "one must be finite",
        )


def _at(place: Callable[[int], str], row: int, named: str) -> str:
    """Name a row, with the teacher unless the name of the row includes it."""
    told = place(row)
    return told if told.startswith(f"{named}, ") else f"{named}: {told}"


def _refuse_as_logits(named: str) -> NoReturn:
    raise KdError(f"{named} has probabilities in every row, not logits", "leave out --logits")


def of_both_classes(values: Array, named: str, logits: bool, place: Callable[[int], str]) -> Array:
    """Return the answers for two classes `(n, 2)`, given those for the second `(n,)`.

    Raises `KdError` unless they are probabilities, percentages, or `logits`.
    """
    import numpy as np

    inside = (values >= 0) & (values <= 1 + ROUNDING)
    if logits:
        if len(values) and inside.all():
            _refuse_as_logits(named)
        return np.stack([np.zeros_like(values), values], 1)
    whole = 1 if inside.all() else 100
    odd = (values < 0) | (values > whole * (1 + ROUNDING))
    if odd.any() or 1 < values.max(initial=0) / (1 + ROUNDING) <= 2:  # such as labels 1 and 2
        row = int(odd.argmax() if odd.any() else values.argmax())
        raise KdError(
            f"{_at(place, row, named)}: {values[row]:.6g} is neither a probability nor, next to the other "
            "rows, clearly a percentage",
            "give probabilities from 0 to 1; --logits reads the column as log-odds",
        )
    values = values.clip(0, whole)
    return np.stack([whole - values, values], 1)


def _check_sums(values: Array, named: str, place: Callable[[int], str]) -> None:
    """Raise `KdError` unless all rows are probabilities, or all are percentages."""
    fits = max(_fits(values, 1), _fits(values, 100), key=lambda rows: int(rows.sum()))
    if fits.all():
        return
    row = int(fits.argmin())
    some = [f"{value:.4g}" for value in values[row, :SHOWN]] + ["…"] * (values.shape[1] > SHOWN)
    raise KdError(
        f"{_at(place, row, named)}: {listed(some)} sum to {values[row].sum():.6g}; so "
        f"{counted(int((~fits).sum()), 'row')} of {len(values):,} have neither probabilities nor percentages",
        "probabilities are 0 or more and sum to 1, percentages to 100; --logits if they are logits",
    )


def _fits(values: Array, whole: int) -> Array:
    """Return which rows `(n,)` sum to `whole`, allowing for a common rounding of all rows.

    The sum of n_classes numbers that were rounded to a step may be off by n_classes / 2 steps.
    """
    import numpy as np

    shares = values / whole
    with np.errstate(invalid="ignore", over="ignore"):  # of logits
        rounded = (step for step in ROUNDED if (np.abs(shares / step - np.rint(shares / step)) < 0.01).all())
        step = next(rounded, 0)  # 0 if they were not rounded
    tolerance = max(CLOSE, min(ROUGH, shares.shape[1] * step / 2 * (1 + ROUNDING)))
    fits: Array = (shares >= 0).all(1) & (np.abs(shares.sum(1) - 1) <= tolerance)
    return fits
