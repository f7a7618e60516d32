"""A command as a teacher: it reads rows as CSV from stdin and writes their probabilities as CSV to stdout."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from kdcli.data.tables import text
from kdcli.errors import KdError, UsageError
from kdcli.teachers import process
from kdcli.teachers.asked import Asked
from kdcli.teachers.tables import dialect_of, table_answers
from kdcli.words import counted, shortened

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

TIMEOUT = 600.0  # seconds
CHUNK = 10_000  # rows that one process gets
LONG = 60  # characters of a command that a message shows


@dataclass(frozen=True)
class CommandTeacher:
    """A command, split like in a shell but run without one; it may take `timeout` seconds for each chunk."""

    command: str
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        """Raise `UsageError` for a command that is empty or has an unclosed quotation mark."""
        try:
            words = self.words
        except ValueError as error:
            raise UsageError(f"command:{self.command} cannot be split: {error}", "close it") from None
        if not words:
            raise UsageError("command: no command follows", "give one, as in 'command:./score --flag'")

    @cached_property
    def words(self) -> list[str]:
        """The program and its arguments."""
        return shlex.split(self.command)

    @property
    def who(self) -> str:
        """The command within a sentence."""
        return f"the command '{shortened(self.command, LONG)}'"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the command's text; the programs that it runs are not covered."""
        return hashlib.sha256(self.command.encode("utf-8", "surrogateescape")).hexdigest()

    def ask(self, asked: Asked) -> np.ndarray:
        """Return the command's answer.

        Its columns are found by the names of the classes, if its first line has them, or by their order.
        Raises `KdError` if the command cannot be run, fails, takes too long, or gives an unusable answer.
        """
        import numpy as np
        import polars as pl

        if asked.frame is None:
            raise KdError(
                f"{self.who} cannot label images: a command gets the rows of a table",
                "use a function or an ONNX model for images",
            )
        if not asked.frame.height:
            return np.empty((0, len(asked.classes)))
        starts = range(0, asked.frame.height, CHUNK)
        chunks = [self._answer(asked.frame[start : start + CHUNK], asked.classes) for start in starts]
        if any(chunk.columns != chunks[0].columns for chunk in chunks):
            raise KdError(f"{self.who} names different columns for some rows", "they must agree")
        table = pl.concat(chunks, how="vertical_relaxed")
        return table_answers(table, asked.classes, self.who, logits=asked.logits, note=asked.note)

    def _answer(self, frame: pl.DataFrame, classes: Sequence[str]) -> pl.DataFrame:
        """Return the table that one process answers with, with a row for each row of the frame."""
        # A row whose only value is missing must not be an empty line, which CSV readers skip.
        rows = frame.write_csv(null_value='""' if frame.width == 1 else "").encode()
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as errors,
        ):
            given.write(rows)
            given.seek(0)
            try:
                process.run(self.words, out, errors, given=given, timeout=self.timeout)
                out.seek(0)
                return _table(cast(BinaryIO, out), frame.height, classes)
            except KdError as problem:
                raise KdError(f"{self.who}: {problem}", process.tail(errors)) from None
            except OSError as error:
                raise self._not_started(error) from None

    def _not_started(self, error: OSError) -> KdError:
        program = self.words[0]
        if isinstance(error, FileNotFoundError) and os.path.isfile(program) and os.sep in program:
            why, hint = "names an interpreter that does not exist", "check its first line"
        elif isinstance(error, FileNotFoundError):
            why = "is not found"
            here = os.path.isfile(program)
            hint = f"did you mean ./{program}?" if here else "give the path of a program, or one on PATH"
        elif isinstance(error, PermissionError):
            why, hint = "is not executable", f"chmod +x {shlex.quote(program)}"
        else:
            why = f"cannot be run: {error.strerror}"
            hint = "a script's first line names its interpreter, such as #!/bin/sh"
        return KdError(f"{self.who} {why}", hint)


def _table(out: BinaryIO, rows: int, classes: Sequence[str]) -> pl.DataFrame:
    """Read an answer; raises `KdError` if it is not a table with the given number of rows."""
    lines = [line for line in out if not line.isspace()]
    first = _cells(lines[0]) if lines else []
    # Other numbers, such as 0,1 for classes named no and yes, may be a header or an answer.
    named = _name(first, classes)
    dialect = dialect_of(classes, header=named or len(lines) > rows)
    out.seek(0)
    dialect = replace(dialect, numbers=(*dialect.numbers, *first)) if named else dialect
    read = text.read(Path("stdout"), out, dialect, lambda: None)
    if read.frame.height != rows:
        short = read.headed and read.frame.height < rows
        header = f"; its first line, {','.join(first)}, has the names of the columns" if short else ""
        raise KdError(f"stdout has {counted(read.frame.height, 'answer')} for {counted(rows, 'row')}{header}")
    return read.frame


def _cells(line: bytes) -> list[str]:
    cells = re.split(r"[,;\t|]", line.decode("utf-8-sig", "replace"))
    return [cell.strip().strip('"') for cell in cells]


def _name(cells: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether the first line of an answer certainly names its columns: it has no numbers, or the classes."""
    numbers, numbers_of_classes = ([_number(text) for text in texts] for texts in (cells, classes))
    return all(cells) and (numbers.count(None) == len(cells) or numbers == numbers_of_classes)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
