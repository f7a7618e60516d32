"""What commands tell a person: lines and tables as data. Each command's result says its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from kdcli.errors import Text
from kdcli.report.table import Emphasis, Table


@dataclass(frozen=True)
class Line:
    """A line of text; one that wraps is a sentence, another has a path or a command to copy."""

    text: Text
    wrap: bool = False
    emphasis: Emphasis = ""


@dataclass(frozen=True)
class File:
    """A text that is to be a file."""

    text: str


Told: TypeAlias = str | Line | File | Table


class Result(Protocol):
    """What a command made or found."""

    def told(self) -> Iterable[Told]:
        """Return what a person is told."""

    def document(self) -> Mapping[str, Any]:
        """Return what a program is told, as JSON."""
