"""Command output for a person, as data: lines, tables and files. Each command's result makes its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from kdcli.errors import Text
from kdcli.report.table import Emphasis, Table


@dataclass(frozen=True)
class Line:
    """A line of text. Sentences `wrap`; lines with a path or a command to copy do not."""

    text: Text
    wrap: bool = False
    emphasis: Emphasis = ""


@dataclass(frozen=True)
class File:
    """The content of a file."""

    text: str


Told: TypeAlias = str | Line | File | Table


class Result(Protocol):
    """The result of a command."""

    def told(self) -> Iterable[Told]:
        """Return the output for a person."""

    def document(self) -> Mapping[str, Any]:
        """Return the JSON document for a program."""
