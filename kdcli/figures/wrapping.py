"""Breaking the texts of a figure into lines, by the width with which they are drawn."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

UNBROKEN = re.compile(r" (?=[=%])|(?<=[=+]) ")  # spaces that stay in a line: "T = 4", "95 %", "+ rest"
STUCK = "\N{NO-BREAK SPACE}"
CLAUSES, WORDS = re.compile(r"(?<=,)(?= )|(?<=.)(?= \()"), re.compile(r"(?<=[^ ])(?= )")
# Where a text that is too long for a line is cut, the better places first.
CUTS = (CLAUSES, WORDS, re.compile(rf"(?<=[,:+/])(?=[^ {STUCK}])"), re.compile(rf"(?<=[-_=])(?=[^ {STUCK}])"))


SHARES = (0.94, 0.88, 0.82, 0.76)  # of a room that are tried for lines of a paragraph


class Font(NamedTuple):
    """Size and weight of a text, as matplotlib has them."""

    size: str
    weight: str = "normal"


TITLE, MEDIUM, BOLD, SMALL = Font("large", "bold"), Font("medium"), Font("medium", "bold"), Font("small")


def wrapped(text: str, room: float, font: Font = MEDIUM, *, sentence: bool = False) -> str:
    """Break each line of a text into the fewest lines within `room` inches, of about the same length.

    Lines of a name end where its parts do, if that takes no more of them; those of a `sentence` at any word.
    """
    starts = (WORDS,) if sentence else (CLAUSES, WORDS)
    return "\n".join(broken for line in text.split("\n") for broken in _lines(line, room, font, starts))


def paragraphs(text: str, room: float, font: Font = MEDIUM) -> str:
    """Break each line of a long text into the fewest lines within `room` inches, none of them far shorter."""
    lines: list[str] = []
    for line in text.split("\n"):
        words = WORDS.split(UNBROKEN.sub(STUCK, line))
        pieces = [piece for word in words for piece in _pieces(word, room, font)]
        best = _filled(pieces, room, font)
        for share in SHARES if len(best) > 1 else ():
            narrower = _filled(pieces, share * room, font)
            if len(narrower) > len(best):
                break
            best = narrower
        lines += [part.replace(STUCK, " ") for part in best]
    return "\n".join(lines)


@cache
def text_width(line: str, font: Font = MEDIUM) -> float:
    """Return the width of a line in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties = FontProperties(size=font.size, weight=font.weight)
    points, _, _ = text_to_path.get_text_width_height_descent(line, properties, ismath=False)
    return float(points) / 72


def _lines(line: str, room: float, font: Font, starts: Sequence[re.Pattern[str]]) -> list[str]:
    text = UNBROKEN.sub(STUCK, line)
    ways = [[piece for part in cuts.split(text) for piece in _pieces(part, room, font)] for cuts in starts]
    pieces = min(ways, key=lambda pieces: len(_filled(pieces, room, font)))
    lines = _filled(pieces, room, font)
    for share in range(1, 20):
        narrower = _filled(pieces, room * (1 - 0.025 * share), font)
        if len(narrower) > len(lines):
            break
        lines = narrower
    return [line.replace(STUCK, " ") for line in lines]


def _pieces(text: str, room: float, font: Font) -> list[str]:
    """Cut a text into pieces that fit; those that begin a word begin with a space."""
    if len(text) < 2 or text_width(text.strip(" "), font) <= room:
        return [text]
    parts = next((parts for cuts in CUTS if len(parts := cuts.split(text)) > 1), [])
    middle = len(text) // 2
    return [piece for part in parts or (text[:middle], text[middle:]) for piece in _pieces(part, room, font)]


def _filled(pieces: Sequence[str], room: float, font: Font) -> list[str]:
    """Put as many pieces on each line as fit."""
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = lines[-1] + piece
        lines = [*lines[:-1], longer] if text_width(longer, font) <= room else [*lines, piece.lstrip(" ")]
    return lines
