"""Splitting the rows of a table into training, validation and test rows, in each draw."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from kdcli.data.pool import SPLITS
from kdcli.data.stratified import stratified_split
from kdcli.errors import KdError, UsageError
from kdcli.words import counted

if TYPE_CHECKING:
    from torch import Tensor

NAMES = {  # of splits, in columns of tables and as folders
    "train": ("train", "training", "tr"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "te", "holdout"),
}
SPLIT_OF = {name: split for split, names in NAMES.items() for name in names}

FOLDS = 20  # of groups, so that the share of a split is exact to a twentieth of the rows
FEW = "each split needs groups of rows with each class; leave out --group, --together"


def drawn(
    y: Tensor, fixed: dict[str, Tensor], shares: tuple[float, float], seed: int, draws: int, stream: str
) -> dict[str, Tensor]:
    """Split rows with the labels `y (n,)` at random, class by class, as `(draws, n)` for each split.

    `shares` are the share of the test rows in all rows, and of the validation rows in the rest. The splits in
    `fixed` keep the rows that are given there. `stream` names the random stream. Raises `UsageError` for
    several draws if nothing is left to chance.
    """
    if draws > 1 and {"val", "test"} <= fixed.keys():
        raise UsageError(
            f"--draws {draws}: validation and test rows are given, so all draws would have the same rows",
            "leave out --draws, or the validation rows, which kd then draws from the training rows",
        )
    import torch

    from kdcli.rng import generator

    index: dict[str, list[Tensor]] = {split: [] for split in SPLITS}
    taken = torch.zeros(len(y), dtype=torch.bool)
    for rows in fixed.values():
        taken[rows] = True
    free = (~taken).nonzero().squeeze(1)
    for draw in range(draws):
        random = generator(stream, seed, draw)
        rest, parts = free, dict(fixed)
        for split, share in (("test", shares[0]), ("val", shares[1])):
            if split not in parts:
                left, part = stratified_split(y[rest], round(share * len(rest)), random)
                parts[split], rest = rest[part], rest[left]
        parts.setdefault("train", rest)
        for split in SPLITS:
            index[split].append(parts[split])
    kept = "test" in fixed
    return {
        split: torch.stack(rows[:1] if split == "test" and kept else rows) for split, rows in index.items()
    }


def by_group(
    y: Tensor, groups: Tensor, shares: tuple[float, float], seed: int, draws: int
) -> dict[str, Tensor]:
    """Split rows so that those of one group are in one split, with about the same shares of each class.

    `groups (n,)` is the group of each row. In all draws, a split has the size of its smallest over the draws.
    """
    import torch

    from kdcli.rng import state

    index: dict[str, list[Tensor]] = {split: [] for split in SPLITS}
    for draw in range(draws):
        rest = torch.arange(len(y))
        for split, share in (("test", shares[0]), ("val", shares[1])):
            inside = _some_groups(y[rest], groups[rest], share, state(f"table/{split}", seed, draw))
            index[split].append(rest[inside])
            rest = rest[~inside]
        index["train"].append(rest)
    sizes = {split: min(map(len, rows)) for split, rows in index.items()}
    return {split: torch.stack([row[: sizes[split]] for row in rows]) for split, rows in index.items()}


def _some_groups(y: Tensor, groups: Tensor, share: float, random_state: int) -> Tensor:
    """Choose whole groups with about this `share` of the rows of each class; returns a mask `(n,)`.

    The groups are put in FOLDS folds, or in one fold each if they are fewer, and the first folds are chosen.
    """
    import torch
    from sklearn.model_selection import StratifiedGroupKFold

    count = len({*groups.tolist()})
    folds = max(2, min(FOLDS, count, int(y.bincount().max())))
    wanted, inside = max(1, round(share * folds)), torch.zeros(len(y), dtype=torch.bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes with few rows: `check_classes` checks the splits
        try:
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state)
            for _, part in islice(splitter.split(y.numpy(), y.numpy(), groups.numpy()), wanted):
                inside[torch.from_numpy(part)] = True
        except ValueError:
            raise KdError(f"{counted(count, 'group')} of rows cannot be split", FEW) from None
    return inside


def in_order(time: Tensor, shares: tuple[float, float]) -> dict[str, Tensor]:
    """Split rows by their `time (n,)`: the latest are test rows, and those before are validation rows."""
    order = time.argsort(stable=True)
    n_test = max(1, round(shares[0] * len(order)))
    n_val = max(1, round(shares[1] * (len(order) - n_test)))
    n_train = len(order) - n_test - n_val
    return dict(zip(SPLITS, order.split([n_train, n_val, n_test]), strict=True))  # type: ignore[no-untyped-call]


def by_column(values: Sequence[str], column: str) -> dict[str, Tensor]:
    """Return the validation and test rows, from a column that names the split of each row.

    All other rows are for training. Raises `UsageError` for a name that is not that of a split.
    """
    import torch

    found = [SPLIT_OF.get(str(value).lower()) for value in values]
    if None in found:
        odd = values[found.index(None)]
        allowed = "; ".join(", ".join(names) for names in NAMES.values())
        raise UsageError(
            f"--split: column '{column}' has '{odd}', which is not a split", f"names of splits: {allowed}"
        )
    return {
        split: torch.tensor([k for k, name in enumerate(found) if name == split], dtype=torch.int64)
        for split in ("val", "test")
        if split in found
    }


def check_classes(y: Tensor, index: dict[str, Tensor], classes: Sequence[str]) -> None:
    """Raise `KdError` unless every class has a row in every split of every draw."""
    for split, draws in index.items():
        for rows in draws:
            counts = y[rows].bincount(minlength=len(classes))
            if not bool(counts.all()):
                missing = int(counts.argmin())
                total = int((y == missing).sum())
                raise KdError(
                    f"class '{classes[missing]}' has {counted(total, 'row')}, none in {split}",
                    "each split needs a row of each class: remove the class, merge it with another, or "
                    "change the fractions",
                )
