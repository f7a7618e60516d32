"""The text of a table in blocks of whole rows, with the first line and the number of columns of each row.

Only one block of a file is in memory at a time.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kdcli.errors import KdError

BLOCK = 2**23  # bytes that are read at once
MARK = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Whole rows of a file: their text, and the line that each begins at. A blank line counts as a row."""

    content: bytes
    lines: Sequence[int]


class Rows:
    """The rows of a text file in UTF-8, each with as many columns as the first row that is not blank.

    `start` is the text that the file begins with; `notes` say what was detected. Raises `KdError` for other
    encodings, and for a row with another number of columns.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.notes: list[str] = []
        self.width, self.first = 0, 0  # columns of each row, and the line that the first begins at
        start = file.read(BLOCK)
        while b"\n" not in start and (more := file.read(BLOCK)):
            start += more
        if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start[:1000]:
            raise KdError(f"{path} is not UTF-8 text, but UTF-16 or binary", "save it as CSV in UTF-8")
        if start.startswith(MARK):
            start = start.removeprefix(MARK)
            self.notes.append("a byte-order mark before the first line was skipped")
        self.start = start if b"\n" in start else start.replace(b"\r", b"\n")  # as on an old Macintosh

    def blocks(self, separator: str) -> Iterator[Block]:
        """Yield the rows, in blocks, from the first that is not blank."""
        content, line = self.start, 1
        while content:
            more = self.file.read(BLOCK)
            end = content.rfind(b"\n") + 1 if more else len(content)
            whole = content[:end]
            self._check_encoding(whole, line)
            rows, rest, after = _rows(self.path, whole, separator, line, last=not more)
            whole = whole[: len(whole) - len(rest)]
            if not self.width:
                blank = next((k for k, (_, count) in enumerate(rows) if count), len(rows))
                rows, whole = rows[blank:], _without_lines(whole, blank)
            if rows:
                yield Block(whole, self._checked(rows))
            content, line = rest + content[end:] + more, after

    def _check_encoding(self, content: bytes, line: int) -> None:
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            before = content.count(b"\n", 0, error.start)
            raise KdError(
                f"{self.path}, line {line + before}: byte {content[error.start]:#04x} is not UTF-8; "
                "is the file in Latin-1?",
                "save it in UTF-8, for example with `iconv -f LATIN1 -t UTF-8`",
            ) from None

    def _checked(self, rows: Sequence[tuple[int, int]]) -> Sequence[int]:
        """Return the lines of rows; raises `KdError` at the first with another number of columns."""
        lines = array("q")
        for line, count in rows:
            if not self.width:
                self.width, self.first = count, line
            if count not in (0, self.width):
                raise KdError(
                    f"{self.path}, line {line}: {count} columns, but line {self.first} has {self.width}",
                    "correct the line; a text with the separator in it must be in double quotes",
                )
            lines.append(line)
        return lines


def _without_lines(content: bytes, count: int) -> bytes:
    """Return a text without its first lines."""
    start = 0
    for _ in range(count):
        start = content.find(b"\n", start) + 1 or len(content)
    return content[start:]


def _rows(
    path: Path, content: bytes, separator: str, line: int, *, last: bool
) -> tuple[list[tuple[int, int]], bytes, int]:
    """Return the line that each row begins at, with its number of columns, which is 0 for a blank line.

    Also returns the text of a row that continues after this content, unless it is the `last` one, and the
    number of the line after the rows. The content begins at the given `line`, counted from 1.
    """
    if b'"' not in content:
        between = separator.encode()
        counts = [text.count(between) + 1 if text.strip() else 0 for text in io.BytesIO(content)]
        return list(enumerate(counts, line)), b"", line + len(counts)
    pending: list[str] = []
    ended = False

    def lines() -> Iterator[str]:
        nonlocal ended
        for text in io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""):
            pending.append(text)
            yield text
        ended = True

    reader, rows, start = csv.reader(lines(), delimiter=separator, strict=True), [], line
    try:
        for row in reader:
            rows.append((start, 0 if len(pending) == 1 and pending[0].isspace() else len(row)))
            start = line + reader.line_num
            pending.clear()
    except csv.Error as error:
        if ended and not last:
            return rows, "".join(pending).encode(), start
        raise KdError(
            f"{path}, line {start}: {error}", "close any open quotes, and double quotes within a text"
        ) from None
    return rows, b"", start
