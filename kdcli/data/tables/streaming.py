"""Reading a table piece by piece, so that a table of any length needs little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kdcli.data.tables.lines import Rows
from kdcli.data.tables.reading import Table, is_text, opened, read_table
from kdcli.data.tables.text import Dialect, Reading
from kdcli.errors import KdError

AT_ONCE = 100_000  # rows of a columnar file


def pieces_of(path: Path, dialect: Dialect) -> Iterator[Table]:
    """Yield the rows of a file in pieces; raises `KdError` with the place if it cannot be read.

    Text is read in blocks, but a Parquet or Arrow file as a whole.
    """
    if is_text(path):
        with opened(path) as (_, file):
            yield from pieces(path, file, dialect)
        return
    table = read_table(path, dialect)
    place = table.place
    for start in range(0, table.frame.height, AT_ONCE):
        frame = table.frame.slice(start, AT_ONCE)
        yield Table(path, frame, (), lambda row, start=start: place(start + row))  # type: ignore[misc]


def pieces(path: Path, file: BinaryIO, dialect: Dialect) -> Iterator[Table]:
    """Yield the rows of a text in blocks; raises `KdError` if it is not a table, or has no rows."""
    reading, rows = Reading(path, dialect, frozenset()), Rows(path, file)
    separator = reading.separator(rows.start.decode("utf-8", "ignore"))
    empty = True
    for block in rows.blocks(separator):
        reading.add(block, separator, rows.width)
        read = reading.taken()
        if read.frame.height:
            empty, lines = False, read.lines
            yield Table(
                path,
                read.frame,
                (),
                lambda row, lines=lines: f"{path.name}, line {lines[row]}",  # type: ignore[misc]
                read.headed,
            )
    if empty:
        raise KdError(f"{path} has no rows", "a table has a line for each example")
