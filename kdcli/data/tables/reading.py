"""Reading a table from a file: text in any common dialect, Parquet, or Arrow.

Nothing is guessed silently: notes say what was detected, and errors name the file, the line and what was
expected. Every row is read; the kinds of the columns are decided later.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from kdcli.data.tables import columnar, text
from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError
from kdcli.progress import Watch, unwatched

if TYPE_CHECKING:
    import polars as pl

TEXT = (".csv", ".tsv", ".txt", ".tab", ".dat")
MB = 10**6


@dataclass(frozen=True)
class Table:
    """A table as it was read: columns of text, or of the types of a columnar file, with nulls where missing.

    `notes` say what was detected. `place` returns where a row, counted from 0, is in the file, for messages:
    the line that it begins at, or the number of the row if the file has no lines.
    """

    path: Path
    frame: pl.DataFrame
    notes: tuple[str, ...]
    place: Callable[[int], str]
    headed: bool = True


def suffix_of(path: Path) -> str:
    """Return the suffix of a file's format, without that of gzip."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def is_text(path: Path) -> bool:
    """Whether a table is text, according to its name."""
    return suffix_of(path) in TEXT


def is_table(path: Path) -> bool:
    """Whether a file is a table, according to its name."""
    return suffix_of(path) in (*TEXT, *columnar.SUFFIXES)


def read_table(path: Path, dialect: Dialect, watch: Watch = unwatched) -> Table:
    """Read a table; raises `KdError` with the place in the file if it cannot be read."""
    # Polars keeps unused memory for ten seconds, which would leave too little for the encoding.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "background_thread:true,dirty_decay_ms:0,muzzy_decay_ms:0")
    with opened(path) as (raw, file):
        if suffix_of(path) in columnar.SUFFIXES:
            frame, found = columnar.read(path, file.read(), suffix_of(path), dialect.missing)
            frame = frame.head(dialect.rows or frame.height)
            return Table(path, frame, found, lambda row: f"{path.name}, row {row + 1}")
        with watch(f"reading {path.name}", max(1, path.stat().st_size // MB), "MB", 1) as report:
            read = text.read(path, file, dialect, lambda: report(raw.tell() // MB, None))
    frame, lines, notes, headed = read  # so that the function below does not keep the frame in memory
    return Table(path, frame, tuple(notes), lambda row: f"{path.name}, line {lines[row]}", headed)


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file, both raw and unpacked; raises `KdError` if it cannot be read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.open(raw) if packed else nullcontext(raw) as file:
                yield raw, cast(BinaryIO, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise KdError(f"{path} is damaged: {error}", "fetch it again") from None
    except OSError as error:
        raise KdError(
            f"cannot read {path}: {error.strerror}", "check the path, and that it may be read"
        ) from None
