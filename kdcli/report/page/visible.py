"""Names as a page shows them: without invisible characters that change how others look."""

from __future__ import annotations

import unicodedata

TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # change the direction of text
MARKS = "\u200e\u200f\u061c"  # change the direction of their neighbours


def plain(text: str) -> str:
    """Return a text with control characters, and those that change its direction, made visible."""
    return "".join(f"[U+{ord(c):04X}]" if _hidden(c) else c for c in text)


def _hidden(character: str) -> bool:
    """Whether a character is invisible and changes others; joiners within emoji are left alone."""
    category = unicodedata.category(character)
    turns = unicodedata.bidirectional(character) in TURNS or character in MARKS
    return turns or category == "Cs" or (category == "Cc" and character not in "\n\t")
