"""Reading a table from a file: text in any common dialect, Parquet, or Arrow.

Nothing is guessed silently: what was recognised is said in notes, and what cannot be read names the file, the
line and what was expected. Text is read as text, every row of it; what a column is, is decided later.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.data.tables import columnar
from kdcli.data.tables.lines import check_lines, up_to_line
from kdcli.data.tables.missing import note_of_missing, with_nulls
from kdcli.errors import KdError, UsageError

if TYPE_CHECKING:
    import polars as pl

TEXT = (".csv", ".tsv", ".txt", ".tab", ".dat")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SAMPLE = 200  # lines by which separators are recognised
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
WHOLE = r"^-?\d{1,15}$"
LEADING_ZERO = r"^[+-]?0\d"  # of codes, which are no numbers


@dataclass(frozen=True)
class Dialect:
    """How a text file is to be read; an empty `separator` or `decimal` is recognised by kd.

    Of a file of more `rows` the first are read; 0 reads all.
    """

    separator: str = ""
    decimal: str = ""
    header: bool = True
    missing: tuple[str, ...] = ()
    rows: int = 0


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


def read_table(path: Path, dialect: Dialect) -> Table:
    """Read a table; raises `KdError` saying where the file is not one."""
    if suffix_of(path) in columnar.SUFFIXES:
        frame, found = columnar.read(path, content_of(path), suffix_of(path), dialect.missing)
        frame = frame.head(dialect.rows or frame.height)
        return Table(path, frame, found, lambda row: f"{path.name}, row {row + 1}")
    content, notes = _checked_text(path, content_of(path))
    return _read_text(path, content, dialect, notes)


def content_of(path: Path) -> bytes:
    """Return the bytes of a file, unpacked where it is gzipped; raises `KdError` where it cannot be read."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise KdError(f"{path} is damaged: {error}", "fetch it again") from None
    except OSError as error:
        raise KdError(
            f"cannot read {path}: {error.strerror}", "check the path, and that it may be read"
        ) from None


def _checked_text(path: Path, content: bytes) -> tuple[bytes, list[str]]:
    """Return a file in UTF-8, with or without a byte-order mark; other encodings are refused by name."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:1000]:
        raise KdError(f"{path} is not UTF-8 text, but UTF-16 or binary", "save it as CSV in UTF-8")
    notes = []
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
        notes.append("a byte-order mark before the first line was skipped")
    if b"\n" not in content:  # as in files of an old Macintosh
        content = content.replace(b"\r", b"\n")
    for number, line in enumerate(io.BytesIO(content), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise KdError(
                f"{path}, line {number}: byte {line[error.start]:#04x} is not UTF-8; is the file in Latin-1?",
                "save it in UTF-8, such as with `iconv -f LATIN1 -t UTF-8`",
            ) from None
    return content, notes


def _read_text(path: Path, content: bytes, dialect: Dialect, notes: list[str]) -> Table:
    if not content.strip():
        raise KdError(f"{path} is empty", "a table has a line for each example")
    given = dialect.separator.replace("\\t", "\t")
    if given and (len(given.encode()) != 1 or given in '"\r\n'):
        raise UsageError(f"--separator: '{given}' is not one ASCII character", "such as ';' or '\\t'")
    separator = given or _separator(content[: 1 << 20].decode("utf-8", "ignore"))
    if not dialect.separator and separator != ",":
        notes.append(f"columns are separated by {SEPARATORS[separator]} (--separator)")
    width, lines = check_lines(path, content, separator)
    whole = len(lines)
    if dialect.rows and whole > dialect.rows + 1:  # one of them may be a header
        content, lines = up_to_line(content, lines[dialect.rows + 1]), lines[: dialect.rows + 1]
    frame = _parsed(path, content, separator, width, len(lines))
    del content
    names = [str(value or "").strip() for value in frame.row(0)]
    headed = dialect.header and _is_header(names)
    if headed:
        _check_names(path, names, lines[0])
        frame, lines = frame.slice(1), lines[1:]
    else:
        names = [f"column {k + 1}" for k in range(width)]
        if dialect.header:
            notes.append("there is no header: the first line has numbers; columns are named by their place")
    frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    if dialect.rows and frame.height > dialect.rows:
        frame = frame.head(dialect.rows)
    if dialect.rows and dialect.rows < whole - headed:
        notes.append(f"only the first {dialect.rows:,} of {whole - headed:,} rows were read (--n-rows)")
    frame, lines = _without_blank_rows(frame, lines, notes)
    if frame.height == 0:
        raise KdError(f"{path} has a header and no rows", "a table has a line for each example")
    frame = _typed(frame, dialect, notes)
    return Table(path, frame, tuple(notes), lambda row: f"{path.name}, line {lines[row]}", headed)


def _separator(text: str) -> str:
    """Return what separates the columns: what gives the most columns, alike in the first lines."""
    lines = [line for line in text[: 1 << 20].splitlines()[:SAMPLE] if line.strip()] or [""]

    def columns(separator: str) -> int:
        try:
            counts = {len(row) for row in csv.reader(lines, delimiter=separator)}
        except csv.Error:  # such as a text without an end; the line is named later
            return 0
        return counts.pop() if len(counts) == 1 else 0

    best = max(SEPARATORS, key=columns)
    if columns(best) > 1:
        return best
    return max(SEPARATORS, key=lambda separator: lines[0].count(separator))


def _parsed(path: Path, content: bytes, separator: str, width: int, height: int) -> pl.DataFrame:
    """Return all rows as text; where Polars takes quotes otherwise, as the csv module reads them."""
    import polars as pl

    while (line := content[: content.find(b"\n") + 1]) and line.isspace():
        content = content[len(line) :]
    try:
        frame = pl.read_csv(io.BytesIO(content), separator=separator, has_header=False, infer_schema=False)
        if frame.shape == (height, width):
            return frame
    except pl.exceptions.PolarsError:
        pass
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    try:
        rows = [row if len(row) == width else [""] * width for row in csv.reader(lines, delimiter=separator)]
    except csv.Error as error:
        raise KdError(f"{path} cannot be read as a table: {error}", "see the file") from None
    if len(rows) != height:
        raise KdError(f"{path} cannot be read as a table: {len(rows)} rows, {height} lines", "see the file")
    return pl.DataFrame(rows, [f"column {k + 1}" for k in range(width)], orient="row")


def _is_header(names: Sequence[str]) -> bool:
    """Whether a first line names columns: none of them is a number or a missing value."""
    return not any(NUMBER.fullmatch(name) or name == "?" for name in names)


def _check_names(path: Path, names: Sequence[str], line: int) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise KdError(
            f"{path}, line {line}: two columns are called '{twice[0]}'",
            "rename one of them; --no-header reads the line as values",
        )
    if "" in names:
        place = names.index("") + 1
        index = " (an index that was saved with the table?)" if place == 1 else ""
        raise KdError(
            f"{path}, line {line}: column {place} has no name{index}",
            "name it in the file, or remove it; --no-header reads the line as values",
        )


def _without_blank_rows(
    frame: pl.DataFrame, lines: Sequence[int], notes: list[str]
) -> tuple[pl.DataFrame, Sequence[int]]:
    import polars as pl

    first = frame[frame.columns[0]]
    if not bool((first.is_null() | (first.str.strip_chars() == "")).any()):
        return frame, lines
    blank = frame.select(
        pl.all_horizontal(pl.all().is_null() | (pl.all().str.strip_chars() == ""))
    ).to_series()
    if count := int(blank.sum()):
        notes.append(f"{count} blank line{'s' if count > 1 else ''} left out")
        return frame.filter(~blank), [lines[row] for row in (~blank).arg_true()]
    return frame, lines


def _typed(frame: pl.DataFrame, dialect: Dialect, notes: list[str]) -> pl.DataFrame:
    """Return the table without spaces around values, with nulls for missing ones and numbers where all are.

    Column by column, so that the text of each is given up before the next is looked at.
    """
    import polars as pl

    typed, found, commas = [], Counter[str](), []
    for name in list(frame.columns):
        column = with_nulls(frame.drop_in_place(name).str.strip_chars(), dialect.missing, found)
        if dialect.decimal != "." and (pointed := _with_points(column)) is not None:
            column = pointed
            commas.append(name)
        numbers = column.cast(pl.Float64, strict=False)
        all_numbers = (
            numbers.null_count() == column.null_count() and not column.str.contains(LEADING_ZERO).any()
        )
        if all_numbers and column.str.contains(WHOLE).all():  # so that 7 as a category is not 7.0
            numbers = column.cast(pl.Int64)
        typed.append(numbers if all_numbers and numbers.null_count() < len(numbers) else column)
    notes += note_of_missing(found)
    if commas:
        notes.append(f"decimal commas in {', '.join(commas)} (--decimal . takes them for text)")
    return pl.DataFrame(typed)


def _with_points(column: pl.Series) -> pl.Series | None:
    """Return a column with points in place of decimal commas; None unless all its numbers have commas."""
    there = column.drop_nulls()
    commas = there.str.contains(DECIMAL_COMMA)
    if not bool(commas.any()) or not bool((commas | there.str.contains(r"^[+-]?\d+$")).all()):
        return None
    return column.str.replace(",", ".", literal=True)
