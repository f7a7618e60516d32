"""Reading a table from text in any common dialect, block by block.

Numbers are stored as numbers as soon as they are read, which takes less memory than their text. If a column
turns out to have other values too, it is read again as text, so that each value is spelled as in the file.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from kdcli.data.tables.lines import Block, Rows
from kdcli.data.tables.missing import note_of_missing, with_nulls
from kdcli.data.tables.names import check_names
from kdcli.errors import KdError, UsageError
from kdcli.words import counted

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SAMPLE = 200  # lines from which the separator is detected
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
PLAIN = r"^[+-]?\d+(\.\d+)?$"
INTEGER = r"^[+-]?\d+$"
WHOLE = r"^-?\d{1,15}$"
CHECK = "check its quotes"
LEADING_ZERO = r"^[+-]?0\d"  # such values are codes, not numbers


@dataclass(frozen=True)
class Dialect:
    """How a text file is to be read; kd detects an empty `separator` or `decimal`.

    At most the first `rows` rows are read; 0 reads all. A header may have names that are among the `numbers`,
    and a first column without a name, such as an index that was saved with a table, is called `unnamed`.
    """

    separator: str = ""
    decimal: str = ""
    header: bool = True
    missing: tuple[str, ...] = ()
    rows: int = 0
    numbers: tuple[str, ...] = ()
    unnamed: str = ""


class Text(NamedTuple):
    """A table that was read from text: its columns, the line that each row begins at, and notes for the user.

    It is `headed` if the first line names the columns.
    """

    frame: pl.DataFrame
    lines: Sequence[int]
    notes: list[str]
    headed: bool


def read(path: Path, file: BinaryIO, dialect: Dialect, tell: Callable[[], None]) -> Text:
    """Read a table, and call `tell` after each block; raises `KdError` with the place of an error."""
    reading = Reading(path, dialect, frozenset())
    reading.read(file, tell)
    if mixed := reading.mixed():
        file.seek(0)
        reading = Reading(path, dialect, mixed)
        reading.read(file, tell)
    return reading.text()


@dataclass
class Reading:
    """A table that is being read; the values of the columns in `as_text` keep their spelling."""

    path: Path
    dialect: Dialect
    as_text: Collection[str]
    names: list[str] = field(default_factory=list)
    headed: bool = False
    columns: dict[str, list[pl.Series]] = field(default_factory=dict)
    lines: array[int] = field(default_factory=lambda: array("q"))
    found: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    rows: int = 0  # the number of rows that were seen, without the header
    blank: int = 0

    def read(self, file: BinaryIO, tell: Callable[[], None]) -> None:
        """Read all rows of a file, and keep those that are wanted."""
        rows = Rows(self.path, file)
        self.notes += rows.notes
        separator = self.separator(rows.start.decode("utf-8", "ignore"))
        for block in rows.blocks(separator):
            self.add(block, separator, rows.width)
            tell()
        if not self.names:
            raise KdError(f"{self.path} is empty", "a table has a line for each example")

    def separator(self, start: str) -> str:
        """Return the separator of the columns, given the start of the file."""
        given = self.dialect.separator.replace("\\t", "\t")
        if given and (len(given.encode()) != 1 or given in '"\r\n'):
            raise UsageError(f"--separator: '{given}' is not one ASCII character", "for example ';' or '\\t'")
        separator = given or _recognised(start)
        if not given and separator != ",":
            self.notes.append(f"columns are separated by {SEPARATORS[separator]} (--separator)")
        return separator

    def add(self, block: Block, separator: str, width: int) -> None:
        """Keep the rows of a block that are wanted, column by column."""
        wanted, lines = self.dialect.rows, block.lines
        if self.names and wanted and self.rows >= wanted:
            self.rows += len(lines)
            return
        frame = _parsed(self.path, block.content, separator, width, len(lines))
        if not self.names:
            self._take_names([str(value or "").strip() for value in frame.row(0)], lines[0])
            if self.headed:
                frame, lines = frame.slice(1), lines[1:]
        left = wanted - self.rows if wanted else len(lines)
        self.rows += len(lines)
        frame, lines, blank = _without_blank_rows(frame.head(left), lines[:left])
        self.blank += blank
        self.lines.extend(lines)
        for name, column in zip(self.names, frame.get_columns(), strict=True):
            stripped = with_nulls(column.str.strip_chars(), self.dialect.missing, self.found)
            kept = stripped if name in self.as_text else _as_numbers(stripped)
            self.columns.setdefault(name, []).append(kept.alias(name))

    def _take_names(self, first: list[str], line: int) -> None:
        """Take the names of the columns from the first row, or name them by their numbers."""
        self.headed = self.dialect.header and _is_header(first, self.dialect.numbers)
        if self.headed:
            first[0] = first[0] or self.dialect.unnamed
            check_names(f"{self.path}, line {line}", first, "--no-header reads the line as values")
            self.names = first
            return
        self.names = [f"column {k + 1}" for k in range(len(first))]
        if self.dialect.header:
            self.notes.append(
                "there is no header: the first line has numbers; columns are named by their place"
            )

    def taken(self) -> Text:
        """Return the rows that were added since the last call, with the types of this block."""
        import polars as pl

        columns = [_typed(self.columns.pop(name), self.dialect.decimal, {}) for name in self.names]
        lines, self.lines = self.lines, array("q")
        return Text(pl.DataFrame(columns), lines, [], self.headed)

    def mixed(self) -> frozenset[str]:
        """Return the columns that have numbers in some blocks and other values in others."""
        import polars as pl

        kinds = {
            name: {part.dtype for part in parts if part.null_count() < len(part)}
            for name, parts in self.columns.items()
        }
        return frozenset(name for name, kind in kinds.items() if pl.String in kind and len(kind) > 1)

    def text(self) -> Text:
        """Return the table that was read."""
        import polars as pl

        if not self.lines:
            raise KdError(f"{self.path} has a header but no rows", "a table has a line for each example")
        wanted = self.dialect.rows
        if wanted and wanted < self.rows:
            self.notes.append(f"only the first {wanted:,} of {self.rows:,} rows were read (--n-rows)")
        if self.blank:
            self.notes.append(f"{counted(self.blank, 'blank line')} left out")
        commas: dict[str, list[str]] = {}
        columns = [_typed(self.columns.pop(name), self.dialect.decimal, commas) for name in self.names]
        self.notes += note_of_missing(self.found)
        if names := commas.get("decimal"):
            self.notes.append(f"decimal commas in {', '.join(names)} (--decimal . takes them for text)")
        if names := commas.get("thousands"):
            self.notes.append(f"commas of thousands were removed in {', '.join(names)}")
        return Text(pl.DataFrame(columns), self.lines, self.notes, self.headed)


def _recognised(text: str) -> str:
    """Detect the separator: the one that gives the most columns, equally many in all of the first lines."""
    lines = [line for line in text[: 1 << 20].splitlines()[:SAMPLE] if line.strip()] or [""]

    def columns(separator: str) -> int:
        try:
            counts = {len(row) for row in csv.reader(lines, delimiter=separator)}
        except csv.Error:  # for example an open quote; a later error names the line
            return 0
        return counts.pop() if len(counts) == 1 else 0

    best = max(SEPARATORS, key=columns)
    if columns(best) > 1:
        return best
    return max(SEPARATORS, key=lambda separator: lines[0].count(separator))


def _parsed(path: Path, content: bytes, separator: str, width: int, height: int) -> pl.DataFrame:
    """Return rows as text; if Polars reads quotes in another way, the csv module reads them."""
    import polars as pl

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
        raise KdError(f"{path} cannot be read as a table: {error}", CHECK) from None
    if len(rows) != height:
        raise KdError(f"{path} cannot be read as a table: {len(rows)} rows, {height} lines", CHECK)
    return pl.DataFrame(rows, [f"column {k + 1}" for k in range(width)], orient="row")


def _is_header(names: Sequence[str], numbers: Collection[str]) -> bool:
    """Whether a first line names columns: it has no "?", and no numbers but different ones in `numbers`."""
    odd = [name for name in names if NUMBER.fullmatch(name) or name == "?"]
    return len(set(odd)) == len(odd) and set(odd) <= set(numbers)


def _without_blank_rows(frame: pl.DataFrame, lines: Sequence[int]) -> tuple[pl.DataFrame, Sequence[int], int]:
    """Return the rows that are not blank, the lines that they begin at, and the number of blank rows."""
    import polars as pl

    first = frame[frame.columns[0]]
    if not bool((first.is_null() | (first.str.strip_chars() == "")).any()):
        return frame, lines, 0
    blank = frame.select(
        pl.all_horizontal(pl.all().is_null() | (pl.all().str.strip_chars() == ""))
    ).to_series()
    count = int(blank.sum())
    return (
        (frame.filter(~blank), [lines[row] for row in (~blank).arg_true()], count)
        if count
        else (frame, lines, 0)
    )


def _as_numbers(column: pl.Series) -> pl.Series:
    """Return a column of text as numbers if all of its values are numbers, and unchanged otherwise."""
    import polars as pl

    numbers = column.cast(pl.Float64, strict=False)
    missing = column.null_count()
    if missing == len(column) or numbers.null_count() > missing or column.str.contains(LEADING_ZERO).any():
        return column
    return column.cast(pl.Int64) if column.str.contains(WHOLE).all() else numbers  # so that 7 is not 7.0


def _typed(parts: list[pl.Series], decimal: str, commas: dict[str, list[str]]) -> pl.Series:
    """Return a column joined from its parts: of numbers if all values are numbers, otherwise of text."""
    import polars as pl

    kinds = {part.dtype for part in parts if part.null_count() < len(part)}
    if kinds and pl.String not in kinds:
        kind = pl.Int64 if kinds == {pl.Int64} else pl.Float64
        return pl.concat([part.cast(kind) for part in parts])
    column = pl.concat(parts)
    column, kind_of_commas = _without_commas(column, decimal)
    if kind_of_commas:
        commas.setdefault(kind_of_commas, []).append(column.name)
    return _as_numbers(column) if kind_of_commas else column  # some part has values that are not numbers


def _without_commas(column: pl.Series, decimal: str) -> tuple[pl.Series, str]:
    """Return a column without the commas in its numbers, and their kind: "thousands" or "decimal".

    The kind is "", and the column unchanged, if there are other values. Raises `KdError` if it is unclear.
    """
    there = column.drop_nulls()
    commas = there.str.contains(",", literal=True)
    if not bool(commas.any()):
        return column, ""
    if bool((there.str.contains(THOUSANDS) | there.str.contains(PLAIN)).all()):
        if decimal == "." or bool(there.str.contains(r",.*[.,]").any()):
            return column.str.replace_all(",", "", literal=True), "thousands"
        if not decimal:
            example = there.filter(commas)[0]
            raise KdError(
                f"column '{column.name}' has numbers such as '{example}': thousands, or a decimal comma?",
                "--decimal . reads such commas as thousands separators, --decimal , as decimal commas",
            )
    if decimal != "." and bool((there.str.contains(DECIMAL_COMMA) | there.str.contains(INTEGER)).all()):
        return column.str.replace(",", ".", literal=True), "decimal"
    return column, ""
