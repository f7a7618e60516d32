"""Names as a page shows them: with nothing in them that cannot be seen and changes what can."""

from __future__ import annotations

import unicodedata

TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # what turns the text around it
MARKS = "\u200e\u200f\u061c"  # which turn what is beside them


def plain(text: str) -> str:
    """Return a text in which control characters are visible, and those that turn the direction of text."""
    return "".join(f"[U+{ord(c):04X}]" if _hidden(c) else c for c in text)


def _hidden(character: str) -> bool:
    """Whether a character is invisible and changes others; joiners within emoji are left alone."""
    category = unicodedata.category(character)
    turns = unicodedata.bidirectional(character) in TURNS or character in MARKS
    return turns or category == "Cs" or (category == "Cc" and character not in "\n\t")
