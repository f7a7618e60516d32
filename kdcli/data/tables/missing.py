"""What counts as a missing value in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")  # besides blanks


def missing_words(more: Sequence[str]) -> list[str]:
    """Return the words that count as missing: those that always do, and more."""
    return [*dict.fromkeys([*MISSING, *more])]


def with_nulls(column: pl.Series, more: Sequence[str], found: Counter[str]) -> pl.Series:
    """Return a column of text with nulls for what counts as missing, and count the words that do."""
    words = missing_words(more)
    missing = column.is_in(words)
    if not bool(missing.any()):
        return column
    for word in words:
        if word and (count := int((column == word).sum())):
            found[word] += count
    return column.set(missing, None)


def note_of_missing(found: Mapping[str, int]) -> list[str]:
    """Say which words stood for missing values, and how often."""
    told = ", ".join(f"'{word}' ({count:,})" for word, count in found.items())
    return [f"missing values: {told} (--missing adds another)"] if found else []
