"""Leaks, which make test results too good: training rows in the test, and features that tell the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 65_536  # rows whose keys are computed at once
MANY = 200_000  # with more rows than this, kd does not look for equal ones
GLANCE = 1000  # rows that suffice to rule out most features, which have more values than classes


def leaks(
    x: Tensor, y: Tensor, index: Mapping[str, Tensor], names: Sequence[str], *, separable: bool
) -> list[str]:
    """Return notes on test rows of draw 0 that are also training rows, and on features that tell the label.

    x is `(n, features)`, y `(n,)`, and `index` has the rows of each split in each draw, `(draws, n)`. Rows
    are `separable` if --together could keep equal rows in one split.
    """
    notes = []
    if twice := trained_on(x, y, index) if len(y) <= MANY else 0:
        together = " (--together keeps rows that are equal in the file in one split)" if separable else ""
        tested = f"{twice:,} of {index['test'].shape[1]:,} test rows"
        notes.append(f"{tested} equal a training row in label and all features{together}")
    return notes + [
        f"'{name}' tells the label by itself: is it known before the label is? (--drop leaves it out)"
        for k, name in enumerate(names)
        if tells(x[:, k], y)
    ]


def trained_on(x: Tensor, y: Tensor, index: Mapping[str, Tensor]) -> int:
    """Count the test rows of draw 0 that equal a training row, label included, with random projections."""
    import torch

    key = torch.randn(x.shape[1] + 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    keys = torch.cat([part.double() @ key[:-1] for part in torch.split(x, CHUNK)]) + y.unsqueeze(1) * key[-1]
    trained = {*map(tuple, keys[index["train"][0]].tolist())}
    return sum(tuple(row) in trained for row in keys[index["test"][0]].tolist())


def tells(values: Tensor, y: Tensor) -> bool:
    """Whether a feature `(n,)` has one value for each class."""
    import torch

    n_classes = int(y.max()) + 1
    if len(torch.unique(values[:GLANCE])) > n_classes:
        return False
    different, codes = torch.unique(values, return_inverse=True)
    return len(different) == n_classes == len(torch.unique(codes * n_classes + y))
