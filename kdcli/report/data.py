"""The data of a run, described in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kdcli.report.table import Cell, Column, Row, Section, Table

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.data import Description
    from kdcli.data.draw import Drawing
    from kdcli.runs.stored import Data

HOW: Mapping[Drawing, str] = {
    "sampled": "each sampled anew",
    "split": "each a split of the same examples",
    "test kept": "which share the test set",
}


def sizes_text(description: Description) -> str:
    """Write the number of classes, the number of examples in each split, and how draws are made."""
    train, val, test = description.sizes.values()
    examples = f"{train:,} training, {val:,} validation and {test:,} test examples"
    draws = f" in each of {description.draws} draws, {HOW[description.drawing]}"
    return f"{description.n_classes} classes; {examples}{draws if description.draws > 1 else ''}"


def classes_table(data: Data) -> Table:
    """Make a table of the classes: the share of each among the examples of every split, over all draws."""
    pool, names = data.pool, data.description.classes
    shares = {split: _shares(pool.y[index], len(names)) for split, index in pool.index.items()}
    titles = {"train": "training", "val": "validation", "test": "test"}
    rows = [
        Row(Cell(name), [Cell(float(shares[split][k]), "%") for split in titles])
        for k, name in enumerate(names)
    ]
    columns = [Column(title) for title in titles.values()]
    return Table(columns, [Section(rows)], "share of each class", Column("class", left=True, folds=True))


def _shares(y: Tensor, n_classes: int) -> Tensor:
    return y.flatten().bincount(minlength=n_classes) / y.numel()
