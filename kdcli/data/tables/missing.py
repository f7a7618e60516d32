"""What counts as a missing value in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")  # after blanks are stripped


def missing_words(more: Sequence[str]) -> list[str]:
    """Return the words that count as missing: the usual ones, and the user's own."""
    return [*dict.fromkeys([*MISSING, *more])]


def with_nulls(column: pl.Series, more: Sequence[str], found: Counter[str]) -> pl.Series:
    """Return a column of text with nulls for words that count as missing; `found` counts these words."""
    words = missing_words(more)
    missing = column.is_in(words)
    if not bool(missing.any()):
        return column
    for word in words:
        if word and (count := int((column == word).sum())):
            found[word] += count
    return column.set(missing, None)


def note_of_missing(found: Mapping[str, int]) -> list[str]:
    """Return a note of the words that stood for missing values, and how often."""
    words = ", ".join(f"'{word}' ({count:,})" for word, count in found.items())
    return [f"missing values: {words} (--missing adds another)"] if found else []
