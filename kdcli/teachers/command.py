"""A command as a teacher: it reads rows as CSV from stdin and writes their probabilities as CSV to stdout."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kdcli.errors import KdError, UsageError
from kdcli.teachers.asked import Asked, checked
from kdcli.teachers.class_columns import class_columns
from kdcli.words import counted

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

TIMEOUT = 600.0  # seconds
CHUNK = 10_000  # rows that one process is asked about
LARGEST = 256 * 2**20  # bytes of an answer: a command that writes without end must not fill the disk
LONG = 60  # characters of a command that a message shows
TAIL = 10  # lines of stderr that are shown


@dataclass(frozen=True)
class CommandTeacher:
    """A command, split as a shell splits it and run without one, which may take `timeout` seconds a chunk."""

    command: str
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        """Raise `UsageError` for a command that is empty or has an open quotation."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise UsageError(f"command:{self.command} cannot be split: {error}", "close it") from None
        if not words:
            raise UsageError("command: names no command", "give one, as in 'command:./score --flag'")

    @cached_property
    def words(self) -> list[str]:
        """The program and its arguments."""
        return shlex.split(self.command)

    @property
    def who(self) -> str:
        """The command within a sentence."""
        return f"the command '{self.command if len(self.command) <= LONG else self.command[:LONG] + ' …'}'"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the command's text; what it runs is not known."""
        return hashlib.sha256(self.command.encode("utf-8", "surrogateescape")).hexdigest()

    def ask(self, asked: Asked) -> np.ndarray:
        """Return the command's answer `(n, n_classes)` or `(n,)`.

        The first line of each chunk's answer may name the columns; those named after classes are put in
        their order, and others beside a full set of them are passed over. Raises `KdError` if the command
        cannot be run, fails, takes too long, or answers with anything else.
        """
        import numpy as np

        if asked.frame is None:
            raise KdError(
                f"{self.who} cannot be asked about images: a command gets the rows of a table",
                "a function or an ONNX model can be asked about images",
            )
        starts = range(0, asked.frame.height, CHUNK)
        chunks = [self._answer(asked.frame[start : start + CHUNK], asked.classes) for start in starts]
        if len({chunk.shape[1] for chunk in chunks}) > 1:
            raise KdError(f"{self.who} answers with different numbers of columns", "they must agree")
        return checked(np.concatenate(chunks), asked, self.who)

    def _answer(self, frame: pl.DataFrame, classes: Sequence[str]) -> np.ndarray:
        """Return the numbers that one process answers with, `(rows, columns)`."""
        import numpy as np

        # A row whose only value is missing must not be an empty line, which readers of CSV pass over.
        rows = frame.write_csv(null_value='""' if frame.width == 1 else "").encode()
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as errors,
        ):
            given.write(rows)
            given.seek(0)
            try:
                self._run(given, out, errors)
                out.seek(0)
                return np.array(_numbers(out.read(), frame.height, classes, self.who))
            except AnswerError as problem:
                raise KdError(f"{self.who} {problem}", _tail(errors)) from None

    def _run(self, given: IO[bytes], out: IO[bytes], errors: IO[bytes]) -> None:
        """Run the command between files: pipes could fill up, or be held open by what the command started.

        Raises `AnswerError` unless it ends well in time. Whatever it started is ended with it.
        """
        process = self._started(given, out, errors)
        end = time.monotonic() + self.timeout
        try:
            while process.poll() is None:
                if time.monotonic() > end:
                    raise AnswerError(f"has not answered within {self.timeout:g} seconds, and was ended")
                if max(os.fstat(file.fileno()).st_size for file in (out, errors)) > LARGEST:
                    raise AnswerError(f"writes more than {LARGEST / 2**20:g} MiB, and was ended")
                time.sleep(0.01)
        finally:
            with suppress(ProcessLookupError, PermissionError):  # if nothing is left of its group
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        if code < 0:
            raise AnswerError(f"was ended by signal {-code} ({signal.strsignal(-code)})")
        if code > 0:
            raise AnswerError(f"failed with exit code {code}")

    def _started(self, given: IO[bytes], out: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the command in a process group of its own; raises `KdError` if it cannot be."""
        program = self.words[0]
        try:
            return subprocess.Popen(  # noqa: S603 - no shell, and named by the user for this call
                self.words, stdin=given, stdout=out, stderr=errors, start_new_session=True
            )
        except FileNotFoundError:
            if Path(program).is_file() and os.sep in program:
                why, hint = "names an interpreter that is not there", "see its first line"
            else:
                why = "is not there"
                here = Path(program).is_file()
                hint = f"did you mean ./{program}?" if here else "give the path of a program, or one on PATH"
        except PermissionError:
            why, hint = "is not executable", f"chmod +x {shlex.quote(program)}"
        except OSError as error:
            why = f"cannot be run: {error.strerror}"
            hint = "a script's first line names its interpreter, such as #!/bin/sh"
        raise KdError(f"{self.who} {why}", hint)


class AnswerError(Exception):
    """Why a command gave no answer, as the rest of a sentence."""


def _tail(errors: IO[bytes]) -> str:
    """Return the last lines that a command wrote to stderr, as a hint."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 100 * TAIL))
    lines = errors.read().decode("utf-8", "replace").rstrip().splitlines()[-TAIL:]
    return "\n".join(["its stderr ends:", *lines]) if lines else "it wrote nothing to stderr"


def _numbers(content: bytes, rows: int, classes: Sequence[str], who: str) -> list[list[float]]:
    """Read an answer: the columns of the classes in their order, or all; raises `AnswerError`."""
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        lines = list(csv.reader(text, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnswerError(f"answers with no CSV: {error}") from None
    while lines and not lines[-1]:
        lines.pop()
    header = lines[:1] if lines and _is_header(lines, rows, classes) else []
    values = lines[len(header) :]
    if len(values) != rows:
        answered = f"{counted(len(values), 'row')} of numbers"
        raise AnswerError(f"answers with {answered} when given {counted(rows, 'row')}")
    places = class_columns(header[0], classes, who) if header else None
    return [_line(line, number, len(lines[0]), places) for number, line in enumerate(values, 1 + len(header))]


def _is_header(lines: Sequence[Sequence[str]], rows: int, classes: Sequence[str]) -> bool:
    """Whether the first line names the columns: it has no number, or is one line more and names classes.

    Of classes that are numbers the names are too, and pandas names the columns of an array 0, 1 and so on.
    """
    first = lines[0]
    if not any(_is_number(field) for field in first):
        return True
    counts = first == [str(k) for k in range(len(classes))]
    return len(lines) == rows + 1 and (counts or {*classes} <= {*first})


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _line(line: Sequence[str], number: int, width: int, places: Sequence[int] | None) -> list[float]:
    if len(line) != width:
        raise AnswerError(
            f"answers with {counted(len(line), 'field')} in line {number}, and {width} in line 1"
        )
    used = range(width) if places is None else places
    for k in used:
        if not _is_number(line[k]):
            raise AnswerError(f"answers with '{line[k][:40]}' in line {number}, column {k + 1}: no number")
    return [float(line[k]) for k in used]
