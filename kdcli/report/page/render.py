"""Pages as HTML: one file that asks nothing of anybody, and is read as well without scripts.

The templates escape whatever they are given. A policy in the page forbids requests, and any script but its
own, which sorts tables.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.commands import spell
from kdcli.errors import Command, Text
from kdcli.report.page.blocks import Block, Figure, Page
from kdcli.report.page.inline import inlined
from kdcli.report.table import Cell, Row

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).parent  # of templates, style and script
LONG = 12  # rows from which a table can be folded
FOLDED = 30  # rows from which it is, until a reader opens it
NEXT_LINE = re.compile(r"-?\n")


def render(page: Page) -> str:
    """Return a page as an HTML file."""
    environment = _environment()
    style, script = (_source(name) for name in ("style.css", "sort.js"))
    template = environment.get_template("page.html.j2")
    return template.render(page=page, style=style, script=script, policy=policy(script))


def policy(script: str) -> str:
    """Return what a page may do: no request, and of scripts this one, known by its digest."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def plain(text: str) -> str:
    """Return a text that shows all that is in it: control characters, as those that turn text, by number."""
    return "".join(f"[U+{ord(c):04X}]" if _hidden(c) else c for c in text)


def _hidden(character: str) -> bool:
    """Whether a character cannot be seen and changes what is; those within emoji are left alone."""
    category = unicodedata.category(character)
    turns = unicodedata.bidirectional(character) in TURNS or character in "\u200e\u200f\u061c"
    return turns or category == "Cs" or (category == "Cc" and character not in "\n\t")


TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "block": partial(_block, environment),
        "words": _words,
        "plain": plain,
        "oneline": lambda title: NEXT_LINE.sub(_joint, title),
        "sortable": sortable,
        "inlined": _inlined,
    }
    environment.globals |= {"long": LONG, "folded": FOLDED, "count": lambda table: len(list(table.rows()))}
    return environment


def _joint(found: re.Match[str]) -> str:
    return "-" if found[0].startswith("-") else " "


def _source(name: str) -> Markup:
    """Return one of kd's own files, which are not escaped."""
    from markupsafe import Markup

    return Markup((FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704 it is kd's own


def _block(environment: Environment, block: Block) -> Markup:
    """Return a block as HTML: what the macro of its name writes."""
    macros: Any = environment.get_template("blocks.html.j2").module
    written: Callable[[Block], Markup] = getattr(macros, type(block).__name__.lower())
    return written(block)


def _words(text: Text) -> Markup:
    """Write a text, its commands as code."""
    from markupsafe import Markup, escape

    parts = (text,) if isinstance(text, str) else text
    return Markup("").join(
        Markup("<code>{}</code>").format(plain(spell(part)))
        if isinstance(part, Command)
        else escape(plain(part))
        for part in parts
    )


def _inlined(figure: Figure) -> Markup:
    from markupsafe import Markup

    return Markup(inlined(figure.svg, figure.name))  # noqa: S704 kd drew it, and its names are escaped


def sortable(row: Row, cell: Cell) -> str:
    """Return what a table is sorted by at a cell: its number, or its text."""
    return repr(float(cell.value)) if isinstance(cell.value, (int, float)) else cell.text
