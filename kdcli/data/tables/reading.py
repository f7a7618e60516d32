"""Reading a table from a file: text in any common dialect, Parquet, or Arrow.

Nothing is guessed silently: what was recognised is said in notes, and what cannot be read names the file, the
line and what was expected. Every row is looked at; what a column is, is decided later.
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
    """A table as it was read: columns of text, or of the types of a columnar file, missing values as nulls.

    `notes` say what was recognised. `place` names a row, counted from 0, for a person: the file and the line
    that it begins at, or the row where there are no lines.
    """

    path: Path
    frame: pl.DataFrame
    notes: tuple[str, ...]
    place: Callable[[int], str]
    headed: bool = True


def suffix_of(path: Path) -> str:
    """Return the suffix that tells a file's format, without that of gzip."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def is_text(path: Path) -> bool:
    """Whether a table is text by its name."""
    return suffix_of(path) in TEXT


def is_table(path: Path) -> bool:
    """Whether a file is a table by its name."""
    return suffix_of(path) in (*TEXT, *columnar.SUFFIXES)


def read_table(path: Path, dialect: Dialect, watch: Watch = unwatched) -> Table:
    """Read a table; raises `KdError` saying where the file is not one."""
    # Polars keeps memory that it has done with for ten seconds, beside which there is none for the encoding.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "background_thread:true,dirty_decay_ms:0,muzzy_decay_ms:0")
    with opened(path) as (raw, file):
        if suffix_of(path) in columnar.SUFFIXES:
            frame, found = columnar.read(path, file.read(), suffix_of(path), dialect.missing)
            frame = frame.head(dialect.rows or frame.height)
            return Table(path, frame, found, lambda row: f"{path.name}, row {row + 1}")
        with watch(f"reading {path.name}", max(1, path.stat().st_size // MB), "MB", 1) as report:
            read = text.read(path, file, dialect, lambda: report(raw.tell() // MB, None))
    frame, lines, notes, headed = read  # without the lines holding on to the frame
    return Table(path, frame, tuple(notes), lambda row: f"{path.name}, line {lines[row]}", headed)


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file as it is, and as it is unpacked; raises `KdError` where it cannot be read."""
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
