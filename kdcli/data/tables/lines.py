"""The lines of a text file: which row of a table each begins, and how many columns it has."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from kdcli.errors import KdError


def check_lines(path: Path, content: bytes, separator: str) -> tuple[int, Sequence[int]]:
    """Return how many columns every row has, and the line that each begins at, from the first not blank.

    Raises `KdError` at the first row that has other columns.
    """
    width, first, lines = 0, 0, array("q")
    for line, count in widths_of(path, content, separator):
        if not width and count:
            width, first = count, line
        if width:
            lines.append(line)
        if count not in (0, width):
            raise KdError(
                f"{path}, line {line}: {count} columns, where line {first} has {width}",
                "correct the line; a text that has the separator in it must stand in double quotes",
            )
    return width, lines


def widths_of(path: Path, content: bytes, separator: str) -> Iterator[tuple[int, int]]:
    """Yield the line that each row begins at, with the number of its columns: 0 of a blank line."""
    if b'"' not in content:
        between = separator.encode()
        for number, line in enumerate(io.BytesIO(content), 1):
            yield number, line.count(between) + 1 if line.strip() else 0
        return
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    spaces = [False]  # whether the line that was read last has nothing else

    def noting() -> Iterator[str]:
        for line in lines:
            spaces[0] = line.isspace()
            yield line

    reader = csv.reader(noting(), delimiter=separator, strict=True)
    start = 1
    try:
        for row in reader:
            yield start, 0 if spaces[0] and reader.line_num == start else len(row)
            start = reader.line_num + 1
    except csv.Error as error:
        raise KdError(
            f"{path}, line {start}: {error}", "close the quotes that are open, or double those within a text"
        ) from None


def up_to_line(content: bytes, line: int) -> bytes:
    """Return what stands before a line, counted from 1."""
    return b"".join(islice(io.BytesIO(content), line - 1))
