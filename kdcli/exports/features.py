"""Features described for a person: the meaning of each, in terms of the columns of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kdcli.words import shortened

if TYPE_CHECKING:
    from kdcli.data.tables.encoding import Encoded

LONGEST = 200  # characters of a name
MOST_DAYS = 2_932_000  # largest number of days from 1970-01-01 to a date, in the year 9997
SIGNIFICANT = 7  # digits
ENDING = "'\\→"  # characters that delimit names


@dataclass(frozen=True)
class Feature:
    """A feature described for a person: its `name`, or the conditions that it `holds` or `fails`."""

    name: str
    holds: str = ""
    fails: str = ""
    date: str | None = None  # the format of a date, which is counted in days from 1970

    def sides(self, threshold: float) -> tuple[str, str]:
        """Return the condition for values up to a threshold, and the one for values above it."""
        if self.holds and 0 <= threshold < 1:
            return self.fails, self.holds
        most = bound(threshold)
        if self.date is not None:
            most = moment(threshold, self.date)
        return f"{self.name} ≤ {most}", f"{self.name} > {most}"


def number(value: float) -> str:
    """Write a number with seven significant digits, or more if more are before the decimal point."""
    digits = max(SIGNIFICANT, len(f"{abs(value):.0f}")) if math.isfinite(value) else SIGNIFICANT
    return f"{value:.{digits}g}".replace("-", "−")


def bound(threshold: float) -> str:
    """Write a 32-bit threshold with the fewest digits that distinguish it from others."""
    import numpy as np

    return np.format_float_positional(np.float32(threshold), trim="-").replace("-", "−")


def moment(days: float, form: str) -> str:
    """Write the day that is this number of days after 1970-01-01, with the time if the dates have times.

    The format `form` says whether they do; without a format, a fraction of a day does.
    """
    since = datetime(1970, 1, 1) + timedelta(days=min(days, MOST_DAYS))
    timed = "%H" in form if form else days % 1 > 0
    return since.isoformat(" ", "milliseconds") if timed else since.date().isoformat()


def plain(name: str) -> str:
    """Return a name on one line, with escapes for characters that do not print or that delimit names."""
    escaped = "".join(c if c.isprintable() and c not in ENDING else _escape(c) for c in name)
    return shortened(escaped, LONGEST)


def _escape(character: str) -> str:
    escaped = character.encode("unicode_escape").decode()
    return escaped if escaped != character else f"\\x{ord(character):02x}"


def features_of(column: Encoded, written: Callable[[str], str] = plain) -> Iterator[Feature]:
    """Yield the features that a column becomes, in order; `written` makes its names printable."""
    name = written(column.name)
    if column.kind == "category":
        levels = [f"'{written(level)}'" for level in column.levels]
        yield from (Feature(name, f"{name} is {level}", f"{name} is not {level}") for level in levels)
        if column.others:
            yield Feature(name, f"{name} is another value", f"{name} is not another value")
    elif column.kind == "yes/no":
        yield Feature(name, f"{name} is yes", f"{name} is no")
    elif column.kind == "date":
        yield Feature(name, date=column.format)
        yield from (Feature(f"the {part} of {name}") for part in ("month", "weekday (Monday is 1)"))
    else:
        yield Feature(name)
    if column.missing:
        yield Feature(name, f"{name} is missing", f"{name} is given")


def middle_of(column: Encoded) -> str:
    """Write the value that replaces a missing one in a column that is not a category."""
    if column.kind == "yes/no":
        return "yes" if column.middle else "no"
    return written(column, column.middle)


def written(column: Encoded, value: float) -> str:
    """Write a value of a column of numbers or dates."""
    return moment(value, column.format) if column.kind == "date" else number(value)
