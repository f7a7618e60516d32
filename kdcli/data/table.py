"""The user's own table, with a column of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.data.dataset import Sample, Source
from kdcli.data.draw import Drawing
from kdcli.data.owned import check_memory, dataset_of, digest_of
from kdcli.data.pool import Pool
from kdcli.data.table_files import Files, Tabular, dialect_of, files_of, joined, labelled, read_files
from kdcli.data.tables import splitting
from kdcli.data.tables.applying import applied
from kdcli.data.tables.classes import text_of
from kdcli.data.tables.columns import LEARNED, Column, Wishes, named, recognised
from kdcli.data.tables.encoding import Encoded, as_numbers, encode, fitted
from kdcli.data.tables.leaks import leaks
from kdcli.data.tables.reading import Table, is_text, read_table
from kdcli.errors import Command, KdError, UsageError
from kdcli.progress import Watch, unwatched
from kdcli.words import counted

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor


NEEDED, PACKED = 3, 5  # bytes of memory for a byte of text, and bytes of text for a compressed byte
FEWER = "--n-rows N reads the first N rows of each file"
ENCODED = 8  # bytes of memory for an encoded number: four by columns, and four again by rows


def opened(config: Tabular, watch: Watch = unwatched) -> tuple[Tabular, Callable[[], Sample]]:
    """Read the files that the options name.

    Returns the options with their defaults filled in, and a function that makes the sample from the files.
    Raises `UsageError` or `KdError` if a file, a column or a label is not what it should be.
    """
    if not config.file or not config.label:
        what = f"{config.file} needs a label column" if config.file else "a table needs a file"
        example = Command("gen-data", (Path(config.file).name or "FILE",), {"label": "COLUMN"})
        raise UsageError(what, ("for example ", example, "; its number, counted from 1, works too"))
    ways = {
        "--test or --val": config.test or config.val,
        "--split": config.split,
        "--time": config.time,
        "--group or --together": config.group or config.together,
    }
    if len(asked := [way for way, given in ways.items() if given]) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} both choose the test rows", "give one of them")
    files = files_of(config)
    digest = digest_of(files.values(), config.digest)
    if not config.n_rows:
        check_memory(f"reading {files['rows'].name}", _needed(files), FEWER)
    file, val, test = (str(files.get(part, "")) for part in ("rows", "val", "test"))
    config = replace(config, digest=digest, file=file, val=val, test=test)
    read = read_files(config, files, watch)
    rows = sum(len(labels) - labels.null_count() for labels in read.labels.values())
    config = config.resolved(rows)
    return config, lambda: _sample(config, read)


def rows(config: Tabular, watch: Watch = unwatched) -> Source:
    """Read the rows of a table again; raises `KdError` if its files have changed."""
    files = files_of(config)
    digest_of(files.values(), config.digest)
    read = read_files(config, files, watch)
    label, in_all = read.label, sum(table.frame.height for table in read.tables.values())
    whole, found = labelled(joined(list(read.tables.values())), read, [])
    return Source(
        whole.frame.drop(label),
        found.position,
        in_all,
        lambda column: text_of(whole.frame.get_column(named(whole, column, "--id"))).to_list(),
        whole.place,
    )


def further(
    config: Tabular,
    path: Path,
    shape: Sequence[int],
    encodings: Sequence[Encoded],
    names: Sequence[str],
    watch: Watch,
) -> tuple[pl.DataFrame, Tensor]:
    """Read all rows, which have no labels, from another file, as `Further` says."""
    table = read_table(path, replace(dialect_of(config), rows=0), watch)
    columns, without = table.frame.columns, "the teacher labels its rows: leave that column out of the file"
    if labels := [name for name in columns if name.casefold() == config.label.casefold()]:
        raise KdError(f"{path.name} has the column of labels, '{labels[0]}'", without)
    if not table.headed and len(columns) == len(names):
        table = replace(table, frame=table.frame.rename(dict(zip(columns, names, strict=True))))
    elif not table.headed:
        raise KdError(
            f"{path.name} has {counted(len(columns), 'column')} without names, but the data have "
            f"{len(names)} without the label",
            without if len(columns) == len(names) + 1 else "give them names in the first line",
        )
    return table.frame, applied(table, encodings)


def _needed(files: Mapping[str, Path]) -> int:
    """Return the bytes of memory that reading files takes."""
    packed = {path: PACKED if path.suffix == ".gz" or not is_text(path) else 1 for path in files.values()}
    return NEEDED * sum(path.stat().st_size * times for path, times in packed.items())


def _sample(config: Tabular, read: Files) -> Sample:
    """Split and encode the rows; this frees the tables that were read, column by column."""
    import polars as pl

    notes = list(read.notes)
    whole = joined(list(read.tables.values()))
    decisions = _decided(whole, config, read.label)
    whole, found = labelled(whole, read, notes)
    y, classes = found.y, found.classes
    group = _groups(config, whole)
    index, drawing = _index(config, whole, y, found.parts, group)
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


def _decided(table: Table, config: Tabular, label: str) -> list[Column]:
    """Decide the kind of each column, apart from those that determine the split."""
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
    """Return the group of each row, `(n,)`; None if no rows are kept together."""
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
            raise UsageError(
                f"--time: column '{column}' has neither dates nor numbers", "name a column that has either"
            )
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
    rows=rows,
    further=further,
    dialect=lambda config: replace(dialect_of(config), rows=0),
)
