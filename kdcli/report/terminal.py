"""Text output: laid out for the terminal's width, and written in the output's encoding.

`outlets` wraps the standard streams: characters that a stream's encoding lacks are replaced by plain ones,
and a stream that can no longer be written is reported.
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

NARROWEST, WIDEST = 20, 1000  # `COLUMNS` is clipped to this range
BROKEN_PIPE = 141  # exit code of a program ended by SIGPIPE: 128 + 13

# Replacements of characters that the encoding lacks, looked up repeatedly until the encoding has one.
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
    """The standard output cannot be written, as on a full disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"cannot write to the standard output: {error.strerror or error}",
            "what the command made is kept; run it again with its output sent elsewhere",
        )


@cache
def _replacements(encoding: str) -> dict[int, str]:
    """Return the replacement of each character of `PLAIN` that an encoding lacks."""
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
    r"""Return a text that an encoding can write: plain forms of signs, escapes such as `\xe9` of letters."""
    return text.translate(_replacements(encoding)).encode(encoding, "backslashreplace").decode(encoding)


def print_file(content: str) -> None:
    """Print the content of a file: always in UTF-8 unless stdout is a terminal."""
    if isinstance(sys.stdout, Outlet) and not sys.stdout.isatty():
        sys.stdout.write_file(content.encode())
    else:
        print(content, end="")


class Outlet(io.TextIOWrapper):
    """A standard stream that replaces characters its encoding lacks, and ignores text after a failure.

    Raises `OutputError` if the standard output cannot be written, and `SystemExit` with `BROKEN_PIPE` if
    its reader went away. The standard error stream fails silently: there is nowhere left to report it.
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
        """Write the content of a file as it is, whatever the encoding of the stream."""
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
            # Windows reports a broken pipe as an invalid argument.
            if error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL):
                raise SystemExit(BROKEN_PIPE) from None
            raise OutputError(error) from None

    def _discard(self) -> None:
        """Send what is still buffered to the null device; otherwise Python fails again when it exits."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


@contextmanager
def outlets() -> Iterator[None]:
    """Replace stdout and stderr by an `Outlet` each."""
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
    """Open the null device in place of standard streams that the shell closed, or files get their numbers.

    Libraries write warnings to file descriptors 1 and 2, whatever these are.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is `number`


def flush() -> None:
    """Pass on what was printed; raises as an `Outlet` does."""
    if sys.stdout is not None:
        sys.stdout.flush()


class _Console(Console):
    """A console that lays out any character; those that the encoding lacks are replaced on output."""

    @property
    def encoding(self) -> str:
        return "utf-8"


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text unchanged, as wide as the terminal or as `COLUMNS` says."""
    width = height = None  # follow the terminal, even if it is resized
    if "COLUMNS" in os.environ:  # ignored unless it is a number above 0
        width, height = shutil.get_terminal_size()
        width = min(max(width, NARROWEST), WIDEST)
    return _Console(stderr=stderr, width=width, height=height, highlight=False, markup=False, emoji=False)


def fitted(text: str | Text, *, stderr: bool = False) -> Text:
    """Return a text as it will be written, so that layout sees its true width."""
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
    """Whether a person can be asked: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()
