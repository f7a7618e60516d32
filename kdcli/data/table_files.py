"""The files of the user's own table: the options of reading them, their rows, and their labels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdcli.data.owned import Owned, classes_of
from kdcli.data.tables.classes import labels_of, unified
from kdcli.data.tables.columns import named
from kdcli.data.tables.reading import Table, read_table
from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError
from kdcli.progress import Watch
from kdcli.settings import setting
from kdcli.words import counted

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor


@dataclass(frozen=True)
class Tabular(Owned):
    """Options of the user's own table."""

    file: str = setting("", "the table: CSV, TSV (gzipped or not), Parquet, or Arrow", metavar="FILE")
    label: str = setting(
        "", "the column of the labels: its name, or its number counted from 1", metavar="COLUMN"
    )
    test: str = setting("", "a separate file with the test rows", metavar="FILE")
    val: str = setting("", "a separate file with the validation rows", metavar="FILE")
    split: str = setting("", "a column with the split of each row: train, val or test", metavar="COLUMN")
    group: str = setting("", "a column of groups: rows of a group stay in one split", metavar="COLUMN")
    time: str = setting("", "a column of times: validate and test on the latest rows", metavar="COLUMN")
    together: bool = setting(False, "keep equal rows in one split")
    drop: tuple[str, ...] = setting((), "columns to leave out", metavar="COLUMN")
    numeric: tuple[str, ...] = setting((), "columns to read as numbers", metavar="COLUMN")
    categorical: tuple[str, ...] = setting((), "columns to read as categories", metavar="COLUMN")
    missing: tuple[str, ...] = setting(
        (), "texts that stand for a missing value, in addition to ?, NA and blanks", metavar="TEXT"
    )
    header: bool = setting(True, "read the first line as column names, unless it has numbers")
    separator: str = setting("", "the character that separates columns; empty: detected", metavar="TEXT")
    decimal: str = setting("", "the decimal sign; empty: detected", choices=("", ".", ","))
    n_rows: int = setting(0, "rows to read from the start of each file; 0: all", minimum=0)

    @property
    def fixes_rows(self) -> bool:
        """Whether a column or files fix the rows of each split, so that another draw would have the same."""
        return bool(self.time or self.split or (self.test and self.val))


@dataclass(frozen=True)
class Files:
    """The tables that were read, by split; "rows" is the table whose rows are yet to be split."""

    tables: dict[str, Table]
    labels: dict[str, pl.Series]
    label: str
    notes: list[str] = field(default_factory=list)


def files_of(config: Tabular) -> dict[str, Path]:
    """Return the files that the options name, by split; "rows" is the file whose rows are yet to be split."""
    paths = {"rows": config.file, "val": config.val, "test": config.test}
    return {part: Path(path).absolute() for part, path in paths.items() if path}


def dialect_of(config: Tabular) -> Dialect:
    """Return how text files are to be read, according to the options."""
    return Dialect(config.separator, config.decimal, config.header, config.missing, config.n_rows)


def read_files(config: Tabular, files: dict[str, Path], watch: Watch) -> Files:
    """Read the files and their labels, which get the same spelling in all files."""
    dialect = dialect_of(config)
    tables = {part: read_table(path, dialect, watch) for part, path in files.items()}
    notes = [
        f"{t.path.name}: {note}" if len(tables) > 1 else note for t in tables.values() for note in t.notes
    ]
    first = tables["rows"]
    dropped = [named(first, column, "--drop") for column in config.drop]
    tables = {part: _like(first, table, dropped) for part, table in tables.items()}
    label = named(first, config.label, "--label")
    labels = {part: labels_of(table, label, notes) for part, table in tables.items()}
    spelled = unified(list(labels.values()), [t.path.name for t in tables.values()], notes)
    return Files(tables, dict(zip(labels, spelled, strict=True)), label, notes)


def _like(first: Table, table: Table, dropped: Sequence[str]) -> Table:
    """Return a table with the columns of the `first`, in that order; raises `KdError` if it lacks any."""
    import polars as pl

    names, own = first.frame.columns, table.frame.columns
    if not first.headed and len(names) == len(own):
        return replace(table, frame=table.frame.rename(dict(zip(own, names, strict=True))))
    lacking = [name for name in names if name not in own and name not in dropped]
    more = [name for name in own if name not in names]
    if lacking:
        raise KdError(
            f"{table.path.name} lacks columns of {first.path.name}: {', '.join(lacking)}"
            + (f"; it has others: {', '.join(more)}" if more else ""),
            "both files need the same columns; --drop leaves a column out of both",
        )
    # `select` would read some names as patterns.
    empty = pl.Series([None] * table.frame.height, dtype=pl.String)
    columns = [table.frame.get_column(name) if name in own else empty.alias(name) for name in names]
    return replace(table, frame=pl.DataFrame(columns))


def joined(tables: Sequence[Table]) -> Table:
    """Return the rows of tables with the same columns as one table; errors name the file of each row."""
    import polars as pl

    starts = list(accumulate((table.frame.height for table in tables), initial=0))
    places = [table.place for table in tables]

    def place(row: int) -> str:
        k = bisect_right(starts, row) - 1
        return places[k](row - starts[k])

    frame = pl.concat([table.frame for table in tables], how="vertical_relaxed")
    return Table(tables[0].path, frame, (), place)


class Labelled(NamedTuple):
    """The labels of the rows that have one: `y (n,)` indexes the names of the `classes`.

    `position (n,)` is the index of each row among all rows, and `parts` has the rows of each file.
    """

    y: Tensor
    position: Tensor
    classes: tuple[str, ...]
    parts: dict[str, Tensor]


def labelled(whole: Table, read: Files, notes: list[str]) -> tuple[Table, Labelled]:
    """Return the rows that have a label, and their labels."""
    import polars as pl
    import torch

    sizes = [table.frame.height for table in read.tables.values()]
    part_of = torch.arange(len(sizes), dtype=torch.int8).repeat_interleave(torch.tensor(sizes))
    labels, parts = pl.concat(list(read.labels.values())), list(read.tables)
    read.tables.clear()
    read.labels.clear()
    position = torch.from_numpy(labels.is_not_null().arg_true().to_numpy().astype("int64"))
    if unlabelled := labels.null_count():
        notes.append(f"{counted(unlabelled, 'row')} without a label left out")
        there = labels.is_not_null()
        rows, place = there.arg_true(), whole.place
        whole = replace(whole, frame=whole.frame.filter(there), place=lambda row: place(int(rows[row])))
        part_of = part_of[torch.from_numpy(there.to_numpy().copy())]
        labels = labels.drop_nulls()
    classes = classes_of(labels.unique(), f"the label column '{read.label}'")
    codes = labels.replace_strict(classes, list(range(len(classes))), return_dtype=pl.Int64)
    of_parts = {part: (part_of == k).nonzero().squeeze(1) for k, part in enumerate(parts)}
    return whole, Labelled(torch.from_numpy(codes.to_numpy().copy()), position, classes, of_parts)
