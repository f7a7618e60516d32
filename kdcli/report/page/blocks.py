"""The content of a report page as data: chapters of sentences, tables, figures and code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kdcli.errors import Text
from kdcli.report.table import Table


@dataclass(frozen=True)
class Paragraph:
    """Sentences: the finding, a caution, a remark on the block above, or plain text."""

    text: Text
    role: Literal["", "finding", "caution", "remark"] = ""


@dataclass(frozen=True)
class Bullets:
    """A list of sentences, below a title if it has one."""

    items: Sequence[Text]
    title: str = ""


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    pairs: Sequence[tuple[str, Text]]


@dataclass(frozen=True)
class Code:
    """Text to copy: commands, or a file."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A figure as SVG; the caption explains it, and the note names what it leaves out."""

    name: str
    svg: bytes
    caption: str
    note: Text = ""

    @property
    def title(self) -> str:
        """The name in words: "Learning curves"."""
        return self.name.replace("-", " ").capitalize()


@dataclass(frozen=True)
class Fold:
    """Blocks that are hidden until a reader opens them; they are always printed on paper."""

    title: str
    blocks: Sequence[Block]


Block: TypeAlias = Paragraph | Bullets | Facts | Code | Figure | Fold | Table


@dataclass(frozen=True)
class Chapter:
    """A part of a page with a heading."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The anchor of the chapter, for links to it."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Page:
    """A report: its title, the line below it, and its chapters, the finding first."""

    title: str
    subtitle: str
    chapters: Sequence[Chapter]
