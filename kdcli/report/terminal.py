"""Where text leaves kd: laid out for the terminal's width, and written in the output's encoding.

`outlets` puts itself between everything that is printed and the standard streams. Characters that the
encoding of a stream lacks are replaced by plain ones there, and a stream that takes no more is reported.
"""

import errno
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TextIO

from rich.console import Console
from rich.text import Text

from kdcli.errors import KdError

NARROWEST, WIDEST = 20, 1000  # columns that `COLUMNS` is taken at its word for
BROKEN_PIPE = 141  # exit code of a program that SIGPIPE ends: 128 + 13

# What is written instead of a character that the encoding lacks; looked up until the encoding has it.
PLAIN = {
    **dict(zip("┏━┳┓┃┡╇┩┗┛╭╮╰╯╸╺", "┌─┬┐│├┼┤└┘┌┐└┘──", strict=True)),
    **dict(zip("┌─┬┐│├┼┤└┴┘", "+-++|++++++", strict=True)),
    "−": "-",
    "–": "-",
    "±": "+/-",
    "∞": "inf",
    "ε": "eps",
    "•": "*",
    "→": "->",
    "×": "x",
    "·": "*",
    "²": "^2",
    "‖": "||",
    "…": "...",
}


class OutputError(KdError):
    """The standard output takes no more text, as on a full disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"cannot write to the standard output: {error.strerror or error}",
            "what the command made is kept; run it again with its output elsewhere",
        )


@cache
def _replacements(encoding: str) -> dict[int, str]:
    """Return what stands for each character of `PLAIN` that an encoding lacks."""
    replacements = {}
    for character in PLAIN:
        plain = character
        while plain in PLAIN and not _encodes(encoding, plain):
            plain = PLAIN[plain]
        if plain != character:
            replacements[ord(character)] = plain
    return replacements


def _encodes(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def spelled(text: str, encoding: str) -> str:
    r"""Return a text that can be written in an encoding: plain words for signs, `\xe9` for other letters."""
    return text.translate(_replacements(encoding)).encode(encoding, "backslashreplace").decode(encoding)


def print_file(content: str) -> None:
    """Print a text that is to be a file: in UTF-8 where it goes to one, whatever a terminal writes."""
    if isinstance(sys.stdout, Outlet) and not sys.stdout.isatty():
        sys.stdout.write_file(content.encode())
    else:
        print(content, end="")


class Outlet(io.TextIOWrapper):
    """A standard stream that spells what its encoding lacks, and takes no text any more once it failed.

    Raises `OutputError` if the standard output cannot be written, and `SystemExit` with `BROKEN_PIPE` if
    its reader went away. The standard error stream fails in silence: nobody is left to be told.
    """

    def __init__(self, stream: TextIO, *, essential: bool) -> None:
        at_once = not essential or stream.isatty()
        super().__init__(stream.buffer, encoding=stream.encoding or "utf-8", line_buffering=at_once)
        self._essential = essential
        self._lost = False

    def write(self, text: str, /) -> int:
        """Write a text, with plain characters for those that the encoding lacks."""
        with self._watched():
            super().write(spelled(text, self.encoding))
        return len(text)

    def write_file(self, content: bytes) -> None:
        """Write what is to be a file, whatever the encoding of the stream."""
        self.flush()
        with self._watched():
            self.buffer.write(content)

    def flush(self) -> None:
        """Pass on what was written."""
        with self._watched():
            super().flush()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self._lost:
            with suppress(OSError):
                yield
            return
        try:
            yield
        except OSError as error:
            self._lost = True
            self._discard()
            if not self._essential:
                return
            # Windows says that an argument is invalid where others say that the pipe is broken.
            if error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL):
                raise SystemExit(BROKEN_PIPE) from None
            raise OutputError(error) from None

    def _discard(self) -> None:
        """Let go nowhere what is in buffers still, or Python fails on it once more when it exits."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


@contextmanager
def outlets() -> Iterator[None]:
    """Put an `Outlet` in place of both standard streams that text is written to."""
    _occupy_closed()
    before = sys.stdout, sys.stderr
    if hasattr(sys.stdout, "buffer"):
        sys.stdout = Outlet(sys.stdout, essential=True)
    if hasattr(sys.stderr, "buffer"):
        sys.stderr = Outlet(sys.stderr, essential=False)
    try:
        yield
    finally:
        placed = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = before
        for outlet in placed:
            if isinstance(outlet, Outlet):
                with suppress(OutputError):
                    outlet.detach()


def _occupy_closed() -> None:
    """Open standard streams that the shell closed on nothing, or the next file would get their number.

    Libraries write warnings to streams 1 and 2, whatever those are.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one


def flush() -> None:
    """Pass on what was printed; raises as an `Outlet` does."""
    if sys.stdout is not None:
        sys.stdout.flush()


class _Console(Console):
    """A console that lays out any character: what the encoding lacks is replaced on the way out."""

    @property
    def encoding(self) -> str:
        return "utf-8"


def console(*, stderr: bool = False) -> Console:
    """Return what prints text as it is, for the width of the terminal or of `COLUMNS`."""
    width = height = None  # those of the terminal, also if they change
    if "COLUMNS" in os.environ:  # which counts if it is a number above 0
        width, height = shutil.get_terminal_size()
        width = min(max(width, NARROWEST), WIDEST)
    return _Console(stderr=stderr, width=width, height=height, highlight=False, markup=False, emoji=False)


def fitted(text: str | Text, *, stderr: bool = False) -> Text:
    """Return a text as it will be written, so that it is as wide as when it is laid out."""
    encoding = getattr(sys.stderr if stderr else sys.stdout, "encoding", None) or "utf-8"
    if isinstance(text, str):
        return Text(spelled(text, encoding))
    if spelled(text.plain, encoding) == text.plain:
        return text
    pieces = Text(style=text.style, justify=text.justify, overflow=text.overflow, no_wrap=text.no_wrap)
    for segment in text.render(console()):
        pieces.append(spelled(segment.text, encoding), segment.style)
    return pieces


def asks() -> bool:
    """Whether there is somebody to answer a question."""
    return sys.stdin is not None and sys.stdin.isatty()
