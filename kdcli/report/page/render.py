"""Pages as HTML: one file that loads nothing from elsewhere, and can be read without scripts.

The templates escape everything. A policy in the page forbids requests, and all scripts except its own, which
sorts tables.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from kdcli.commands import spell
from kdcli.errors import Command, Text, UsageError
from kdcli.glossary import find, linked, terms
from kdcli.report.page.blocks import Block, Chapter, Figure, Page
from kdcli.report.page.inline import inlined
from kdcli.report.page.visible import plain
from kdcli.report.table import Cell, Table

WORD = Markup('<a class="word" href="#word-{}">{}</a>')
FOLDER = Path(__file__).parent  # of templates, style and script
LONG = 12  # a table with more rows can be folded
FOLDED = 30  # a table with more rows is folded until a reader opens it
LONGEST = 16  # characters of a word in the head of a column
ABREAST = 6  # columns of a table that may be split


def render(page: Page) -> str:
    """Return a page as an HTML file."""
    return _Renderer().page(page)


def policy(script: str) -> str:
    """Return the security policy of a page: no requests, and only this script, identified by its digest."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def sort_key(cell: Cell) -> str:
    """Return the key of a cell for sorting a table: its number, or its text."""
    return repr(float(cell.value)) if isinstance(cell.value, (int, float)) else plain(cell.text)


class _Renderer:
    """Renders one page, and keeps track of the words linked in the current chapter, and in the whole page."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "block": self._block,
            "words": self._words,
            "term": self._term,
            "code": _code,
            "plain": plain,
            "broken": _broken,
            "oneline": lambda title: re.sub(r"(?<=-)\n", "", title).replace("\n", " "),
            "sort_key": sort_key,
            "inlined": _inlined,
        }
        self._environment.globals |= {"LONG": LONG, "FOLDED": FOLDED, "count": _count}
        self._macros: Any = self._environment.get_template("blocks.html.j2").module
        self._linked: set[str] = set()  # in this chapter
        self._used: set[str] = set()

    def page(self, page: Page) -> str:
        style, script = (_source(name) for name in ("style.css", "sort.js"))
        chapters = [(chapter, self._chapter(chapter)) for chapter in page.chapters]
        template = self._environment.get_template("page.html.j2")
        return template.render(
            page=page,
            chapters=chapters,
            terms=[term for term in terms() if term.anchor in self._used],
            style=style,
            script=script,
            policy=policy(script),
        )

    def _chapter(self, chapter: Chapter) -> Markup:
        self._linked = set()
        return Markup("").join(map(self._block, chapter.blocks))

    def _block(self, block: Block) -> Markup:
        """Return a block as HTML, written by the macro of its name. A wide table is split into parts."""
        parts = _parts(block) if isinstance(block, Table) else [block]
        macro = getattr(self._macros, type(block).__name__.lower())
        return Markup("").join(macro(part) for part in parts)

    def _term(self, name: str) -> Markup:
        """Write a term of kd, such as the name of a metric or a target, as a link to its explanation."""
        try:
            anchor = find(name).anchor
        except UsageError:
            return escape(plain(name))
        self._used.add(anchor)
        return WORD.format(anchor, plain(name))

    def _words(self, text: Text) -> Markup:
        """Write a text with its commands as code; the first use of a term links to its explanation."""
        parts: list[Markup] = []
        for part in (text,) if isinstance(text, str) else text:
            if isinstance(part, Command):
                parts.append(Markup("<code>{}</code>").format(plain(spell(part))))
                continue
            for piece, anchor in linked(part, self._linked):
                parts.append(WORD.format(anchor, plain(piece)) if anchor else escape(plain(piece)))
                self._linked |= {anchor} if anchor else set()
        self._used |= self._linked
        return Markup("").join(parts)


def _broken(text: str) -> Markup:
    """Write a text for narrow columns: long words may be broken, and other words are kept whole."""
    pieces = re.split(rf"(?<=\S{{{LONGEST}}})(?=\S)", plain(text))
    return Markup("<wbr>").join(map(escape, pieces))


def _code(paragraph: str) -> Markup:
    """Write a paragraph of the glossary, with code where backquotes are."""
    parts = paragraph.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if k % 2 else escape(part) for k, part in enumerate(parts)
    )


def _parts(table: Table) -> list[Table]:
    """Split a table that may be split into parts of about as many columns, and no more than ABREAST."""
    columns = range(len(table.columns))
    if not table.splits or len(columns) <= ABREAST:
        return [table]
    size = math.ceil(len(columns) / math.ceil(len(columns) / ABREAST))
    return [table.part(columns[k : k + size]) for k in columns[::size]]


def _count(table: Table) -> int:
    return len(list(table.rows()))


def _source(name: str) -> Markup:
    """Return the content of a file of kd, which is not escaped."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704 it is kd's own


def _inlined(figure: Figure) -> Markup:
    return Markup(inlined(figure.svg, figure.name))  # noqa: S704 kd drew it, and its names are escaped
