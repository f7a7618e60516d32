"""A table of the user's own, with a column of labels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdcli.data.dataset import Sample
from kdcli.data.draw import Drawing
from kdcli.data.owned import Owned, check_memory, classes_of, dataset_of, digest_of
from kdcli.data.pool import Pool
from kdcli.data.tables import splitting
from kdcli.data.tables.classes import labels_of, unified
from kdcli.data.tables.columns import LEARNED, Column, Wishes, named, recognised
from kdcli.data.tables.encoding import as_numbers, encode, fitted
from kdcli.data.tables.leaks import leaks
from kdcli.data.tables.reading import Table, is_text, read_table
from kdcli.data.tables.text import Dialect
from kdcli.errors import Command, KdError, UsageError
from kdcli.progress import Watch, unwatched
from kdcli.settings import setting
from kdcli.words import counted

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor


NEEDED, PACKED = 3, 5  # bytes of memory for a byte of text, and of text for one of a packed file
FEWER = "--n-rows N reads the first N rows of each file"
ENCODED = 8  # bytes of memory for a number that is encoded: once by columns, once by rows


@dataclass(frozen=True)
class Tabular(Owned):
    """Options of a table of the user's own."""

    file: str = setting("", "the table: CSV, TSV (gzipped or not), Parquet, or Arrow", metavar="FILE")
    label: str = setting(
        "", "the column of the labels: its name, or its place counted from 1", metavar="COLUMN"
    )
    test: str = setting("", "another file with the rows to test on", metavar="FILE")
    val: str = setting("", "another file with the rows to validate on", metavar="FILE")
    split: str = setting("", "a column that says train, val or test of each row", metavar="COLUMN")
    group: str = setting("", "a column whose equal values stay in one split", metavar="COLUMN")
    time: str = setting("", "a column by which later rows are validated and tested on", metavar="COLUMN")
    together: bool = setting(False, "keep equal rows in one split")
    drop: tuple[str, ...] = setting((), "columns to leave out", metavar="COLUMN")
    numeric: tuple[str, ...] = setting((), "columns to take for numbers", metavar="COLUMN")
    categorical: tuple[str, ...] = setting((), "columns to take for categories", metavar="COLUMN")
    missing: tuple[str, ...] = setting(
        (), "texts that stand for a missing value, besides ?, NA and blanks", metavar="TEXT"
    )
    header: bool = setting(True, "take the first line for names of columns, unless it has numbers")
    separator: str = setting("", "what separates columns; empty: recognised", metavar="TEXT")
    decimal: str = setting("", "the decimal sign; empty: recognised", choices=("", ".", ","))
    n_rows: int = setting(0, "rows to read from the start of each file; 0: all", minimum=0)


@dataclass(frozen=True)
class _Files:
    """The tables that were read, by split: all rows without a split of their own are "rows"."""

    tables: dict[str, Table]
    labels: dict[str, pl.Series]
    label: str
    notes: list[str] = field(default_factory=list)


def opened(config: Tabular, watch: Watch = unwatched) -> tuple[Tabular, Callable[[], Sample]]:
    """Read the files that the options name.

    Returns the options with nothing left open, and what samples from the files. Raises `UsageError` or
    `KdError` where a file, a column or a label is not what it should be.
    """
    if not config.file or not config.label:
        what = f"which column of {config.file} has the labels?" if config.file else "a table needs a file"
        example = Command("gen-data", (Path(config.file).name or "FILE",), {"label": "COLUMN"})
        raise UsageError(what, ("name it, such as ", example, "; a place counted from 1 will do"))
    ways = {
        "--test or --val": config.test or config.val,
        "--split": config.split,
        "--time": config.time,
        "--group or --together": config.group or config.together,
    }
    if len(asked := [way for way, given in ways.items() if given]) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} both say which rows are tested on", "give one of them")
    paths = {"rows": config.file, "val": config.val, "test": config.test}
    files = {part: Path(path).absolute() for part, path in paths.items() if path}
    digest = digest_of(files.values(), config.digest)
    if not config.n_rows:
        check_memory(f"reading {files['rows'].name}", _needed(files), FEWER)
    file, val, test = (str(files.get(part, "")) for part in paths)
    config = replace(config, digest=digest, file=file, val=val, test=test)
    read = _read(config, files, watch)
    rows = sum(len(labels) - labels.null_count() for labels in read.labels.values())
    if config.time or config.split:  # nothing is left to chance: another draw would have the same rows
        config = replace(config, draws=config.draws or 1)
    config = config.resolved(rows)
    return config, lambda: _sample(config, read)


def _needed(files: Mapping[str, Path]) -> int:
    """Return the bytes of memory that reading files takes."""
    packed = {path: PACKED if path.suffix == ".gz" or not is_text(path) else 1 for path in files.values()}
    return NEEDED * sum(path.stat().st_size * times for path, times in packed.items())


def _read(config: Tabular, files: dict[str, Path], watch: Watch) -> _Files:
    """Read the files, and their labels, spelled alike."""
    dialect = Dialect(config.separator, config.decimal, config.header, config.missing, config.n_rows)
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
    return _Files(tables, dict(zip(labels, spelled, strict=True)), label, notes)


def _like(first: Table, table: Table, dropped: Sequence[str]) -> Table:
    """Return a table with the columns of the first, in its order; raises `KdError` for other columns."""
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
            "both files need the same columns; --drop leaves one out of both",
        )
    # Not by `select`, which takes some names for patterns.
    empty = pl.Series([None] * table.frame.height, dtype=pl.String)
    columns = [table.frame.get_column(name) if name in own else empty.alias(name) for name in names]
    return replace(table, frame=pl.DataFrame(columns))


def _joined(tables: Sequence[Table]) -> Table:
    """Return the rows of tables with the same columns as one, each named by the place where it was read."""
    import polars as pl

    starts = list(accumulate((table.frame.height for table in tables), initial=0))
    places = [table.place for table in tables]

    def place(row: int) -> str:
        k = bisect_right(starts, row) - 1
        return places[k](row - starts[k])

    frame = pl.concat([table.frame for table in tables], how="vertical_relaxed")
    return Table(tables[0].path, frame, (), place)


def _sample(config: Tabular, read: _Files) -> Sample:
    """Split and encode the rows; the tables that were read are given up for it, column by column."""
    import polars as pl

    notes = list(read.notes)
    whole = _joined(list(read.tables.values()))
    decisions = _decided(whole, config, read.label)
    whole, labelled = _labelled(whole, read, notes)
    y, classes = labelled.y, labelled.classes
    group = _groups(config, whole)
    index, drawing = _index(config, whole, y, labelled.parts, group)
    splitting.check_classes(y, index, classes)
    if left := len(y) - sum(index[split].shape[1] for split in index):
        notes.append(f"{counted(left, 'row')} in no split, so that the splits of all draws have one size")
    if config.time and (undated := whole.frame[named(whole, config.time, "--time")].null_count()):
        notes.append(f"--time: {counted(undated, 'row')} without a time count as the earliest")
    training = pl.Series(index["train"][0].numpy())
    encodings = [fitted(c, whole.frame[c.name].gather(training)) for c in decisions if c.kind in LEARNED]
    if not encodings:
        raise KdError(f"{whole.path.name} has no column to learn from", "see --numeric and --categorical")
    names = tuple(name for encoded in encodings for name in encoded.features)
    check_memory(f"encoding {whole.path.name}", ENCODED * len(y) * len(names), FEWER)
    x = encode(whole, encodings, release=True)
    free = not any((config.test, config.val, config.split, config.time, config.group, config.together))
    notes += leaks(x, y, index, names, separable=free)
    return Sample(
        Pool(x, y, None, index, group),
        classes,
        names,
        tuple(encodings),
        tuple(decisions),
        tuple(notes),
        drawing,
    )


class _Labelled(NamedTuple):
    """The classes of the rows, `(n,)`, their names, and the rows of each file that was read."""

    y: Tensor
    classes: tuple[str, ...]
    parts: dict[str, Tensor]


def _labelled(whole: Table, read: _Files, notes: list[str]) -> tuple[Table, _Labelled]:
    """Return the rows that have a label, and what these are."""
    import polars as pl
    import torch

    sizes = [table.frame.height for table in read.tables.values()]
    part_of = torch.arange(len(sizes), dtype=torch.int8).repeat_interleave(torch.tensor(sizes))
    labels, parts = pl.concat(list(read.labels.values())), list(read.tables)
    read.tables.clear()
    read.labels.clear()
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
    return whole, _Labelled(torch.from_numpy(codes.to_numpy().copy()), classes, of_parts)


def _decided(table: Table, config: Tabular, label: str) -> list[Column]:
    """Decide what each column is; those that say how to split are left out."""
    apart = {label} | {
        named(table, column, flag)
        for column, flag in ((config.split, "--split"), (config.group, "--group"))
        if column
    }
    drop, numeric, categorical = (
        tuple(named(table, column, flag) for column in columns)
        for columns, flag in (
            (config.drop, "--drop"),
            (config.numeric, "--numeric"),
            (config.categorical, "--categorical"),
        )
    )
    return recognised(table, apart, Wishes(drop, numeric, categorical))


def _groups(config: Tabular, table: Table) -> Tensor | None:
    """Return of which group each row is, `(n,)`, where rows of one group are kept together."""
    import torch

    if not (config.group or config.together):
        return None
    groups = table.frame[named(table, config.group, "--group")] if config.group else table.frame.hash_rows()
    codes = groups.cast(str).rank("dense").cast(int) - 1
    return torch.from_numpy(codes.to_numpy().copy())


def _index(
    config: Tabular, table: Table, y: Tensor, parts: Mapping[str, Tensor], group: Tensor | None
) -> tuple[dict[str, Tensor], Drawing]:
    """Return the rows of each split of each draw, and how the draws come about."""
    import polars as pl
    import torch

    shares = config.shares
    fixed = {part: rows for part, rows in parts.items() if part != "rows"}
    if config.split:
        column = named(table, config.split, "--split")
        values = table.frame[column].cast(str)
        if values.null_count():
            place = table.place(int(values.is_null().arg_true()[0]))
            raise UsageError(f"--split: {place}: column '{column}' has no value", "each row needs one")
        fixed = splitting.by_column(values.to_list(), column)
    elif config.time:
        column = named(table, config.time, "--time")
        (kind,) = recognised(table, {*table.frame.columns} - {column}, Wishes())
        if table.frame[column].dtype == pl.String and kind.kind != "date":
            raise UsageError(f"--time: column '{column}' has neither dates nor numbers", "name one that does")
        time = as_numbers(kind.kind, table.frame[column], kind.format)
        fixed = splitting.in_order(torch.from_numpy(time.fill_null(strategy="min").to_numpy().copy()), shares)
    elif group is not None:
        return splitting.by_group(y, group, shares, config.seed, config.draws), "split"
    index = splitting.drawn(y, fixed, shares, config.seed, config.draws, "table/split")
    return index, "test kept" if "test" in fixed else "split"


DATASET = dataset_of(
    "a table of your own: CSV, TSV, Parquet or Arrow, with a column of labels",
    Tabular,
    opened,
    standardise=True,
)
