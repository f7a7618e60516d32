"""A command as a teacher: it reads rows as CSV from stdin and writes their probabilities as CSV to stdout."""

from __future__ import annotations

import hashlib
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
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from kdcli.data.tables import text
from kdcli.errors import KdError, UsageError
from kdcli.teachers.asked import Asked
from kdcli.teachers.tables import dialect_of, table_answers
from kdcli.words import counted, shortened

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
            words = self.words
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
        return f"the command '{shortened(self.command, LONG)}'"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the command's text; what it runs is not known."""
        return hashlib.sha256(self.command.encode("utf-8", "surrogateescape")).hexdigest()

    def ask(self, asked: Asked) -> np.ndarray:
        """Return the command's answer.

        Its columns are found by the names of the classes, if its first line has them, or by their order.
        Raises `KdError` if the command cannot be run, fails, takes too long, or answers with anything else.
        """
        import numpy as np
        import polars as pl

        if asked.frame is None:
            raise KdError(
                f"{self.who} cannot be asked about images: a command gets the rows of a table",
                "a function or an ONNX model can be asked about images",
            )
        if not asked.frame.height:
            return np.empty((0, len(asked.classes)))
        starts = range(0, asked.frame.height, CHUNK)
        chunks = [self._answer(asked.frame[start : start + CHUNK], asked.classes) for start in starts]
        if any(chunk.columns != chunks[0].columns for chunk in chunks):
            raise KdError(f"{self.who} names other columns for some rows", "they must agree")
        table = pl.concat(chunks, how="vertical_relaxed")
        return table_answers(table, asked.classes, self.who, logits=asked.logits)

    def _answer(self, frame: pl.DataFrame, classes: Sequence[str]) -> pl.DataFrame:
        """Return the table that one process answers with, a row for each of the frame."""
        # A row whose only value is missing must not be an empty line, which readers of CSV pass over.
        rows = frame.write_csv(null_value='""' if frame.width == 1 else "").encode()
        # Files, since pipes could fill up, or be held open by what the command started.
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as errors,
        ):
            given.write(rows)
            given.seek(0)
            process = self._started(given, out, errors)
            try:
                self._wait(process, out, errors)
                out.seek(0)
                return _table(cast(BinaryIO, out), frame.height, classes)
            except KdError as problem:
                raise KdError(f"{self.who}: {problem}", _tail(errors)) from None

    def _wait(self, process: subprocess.Popen[bytes], out: IO[bytes], errors: IO[bytes]) -> None:
        """Raise `KdError` unless the command ends well in time. Whatever it started is ended with it."""
        end = time.monotonic() + self.timeout
        try:
            while process.poll() is None:
                if time.monotonic() > end:
                    raise KdError(f"no answer within {self.timeout:g} seconds; it was ended")
                if max(os.fstat(file.fileno()).st_size for file in (out, errors)) > LARGEST:
                    raise KdError(f"more than {LARGEST / 2**20:g} MiB of output; it was ended")
                time.sleep(0.01)
        finally:
            with suppress(ProcessLookupError, PermissionError):  # if nothing is left of its group
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        if code < 0:
            raise KdError(f"ended by signal {-code} ({signal.strsignal(-code)})")
        if code > 0:
            raise KdError(f"exit code {code}")

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


def _tail(errors: IO[bytes]) -> str:
    """Return the last lines that a command wrote to stderr, as a hint."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 100 * TAIL))
    lines = errors.read().decode("utf-8", "replace").rstrip().splitlines()[-TAIL:]
    return "\n".join(["its stderr ends:", *lines]) if lines else "it wrote nothing to stderr"


def _table(out: BinaryIO, rows: int, classes: Sequence[str]) -> pl.DataFrame:
    """Read an answer about so many rows; raises `KdError` where it is no table, or of other rows."""
    # A first line such as "0,1" may be a header or an answer, so that the lines are counted.
    header = sum(not line.isspace() for line in out) > rows
    out.seek(0)
    frame = text.read(Path("stdout"), out, dialect_of(classes, header=header), lambda: None).frame
    if frame.height != rows:
        raise KdError(f"stdout has {counted(frame.height, 'row')} when given {counted(rows, 'row')}")
    return frame
