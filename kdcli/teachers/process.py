"""Runs a teacher's program in a separate process group, which is killed as a whole at the end."""

from __future__ import annotations

import codecs
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from kdcli.errors import KdError

LARGEST = 256 * 2**20  # bytes of output: a process that writes without end must not fill the disk
TAIL = 10  # lines of output that are shown


def run(
    words: list[str],
    out: IO[bytes],
    errors: IO[bytes],
    *,
    given: IO[bytes] | int = subprocess.DEVNULL,
    timeout: float = math.inf,
    told: bool = False,
) -> None:
    """Run a program in a process group of its own, for at most `timeout` seconds.

    It reads from `given` and writes into files, since pipes could fill up, or be held open by processes that
    it started. If `told`, its output in `errors` is passed on to stderr. Raises `OSError` if it cannot be
    started, and `KdError` unless it exits successfully in time.
    """
    process = subprocess.Popen(words, stdin=given, stdout=out, stderr=errors, start_new_session=True)  # noqa: S603 - no shell
    tell = _telling(errors) if told else lambda: None
    end = time.monotonic() + timeout
    try:
        while process.poll() is None:
            if time.monotonic() > end:
                raise KdError(f"no answer within {timeout:g} seconds; it was stopped")
            if max(os.fstat(file.fileno()).st_size for file in (out, errors)) > LARGEST:
                raise KdError(f"more than {LARGEST / 2**20:g} MiB of output; it was stopped")
            tell()
            time.sleep(0.01)
    finally:
        with suppress(ProcessLookupError, PermissionError):  # if the group has ended
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        tell()
    if code < 0:
        raise KdError(f"ended by signal {-code} ({signal.strsignal(-code)})")
    if code > 0:
        raise KdError(f"exit code {code}")


def tail(errors: IO[bytes], what: str = "stderr") -> str:
    """Return the last lines that a process wrote, as a hint."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 100 * TAIL))
    lines = errors.read().decode("utf-8", "replace").rstrip().splitlines()[-TAIL:]
    return "\n".join([f"its {what} ends:", *lines]) if lines else f"it wrote nothing to {what}"


def _telling(file: IO[bytes]) -> Callable[[], None]:
    """Return a function that passes on to stderr what was written into a file since its last call."""
    decoder, position = codecs.getincrementaldecoder("utf-8")("replace"), 0

    def tell() -> None:
        nonlocal position
        # Read at a position: reading the file itself would move the offset at which the process writes.
        new = os.pread(file.fileno(), os.fstat(file.fileno()).st_size - position, position)
        position += len(new)
        if new and sys.stderr:  # None where it is closed
            with suppress(OSError):
                sys.stderr.write(decoder.decode(new))
                sys.stderr.flush()

    return tell
