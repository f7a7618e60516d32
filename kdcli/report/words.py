"""Numbers, lists, times and paths as a person reads them: the one place that writes them."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from kdcli.metrics import HUGE, METRICS
from kdcli.words import readable_size

FORMS = {
    "%": ".2f",
    "errors": ".1f",
    "ms": ".3f",
    "µs": ".3f",
    "count": ",.0f",
}  # by unit; of all others ".4f"
SUFFIXES = {"%": " %", "ms": " ms", "µs": " µs"}  # units that stand behind every number
AMOUNTS = {"%": "points of ", "nats": "nats of ", "errors": ""}  # of a metric; of all others "in "


def number(value: float, unit: str = "") -> str:
    """Write a value or a difference without its unit: "94.50" of "%", "−0.0123", "∞"."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if unit == "bytes":
        return readable_size(value)
    form = FORMS.get(unit, ".4f")
    if abs(value) >= HUGE and unit != "count":
        form = ".1e"
    text = f"{value * (100 if unit == '%' else 1):{form}}"
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", "−")


Ends: TypeAlias = tuple[float, float] | None
"""The ends of an interval, where there is one."""


def quantity(value: float, unit: str = "", ends: Ends = None) -> str:
    """Write a value with its unit and interval: "94.50 ± 0.42 %", "100.00 [96.38, 100.00] %", "0.205 ms"."""
    if math.isinf(value):
        return number(value)
    return number(value, unit) + _interval(value, unit, ends) + SUFFIXES.get(unit, "")


def signed(value: float, unit: str = "", ends: Ends = None) -> str:
    """Write a difference with its sign and interval: "+3.15 ± 0.37", "+0.00 [−3.62, 3.62]"."""
    text = number(value, unit)
    plus = "+" if value > 0 and text.strip("0.") else ""
    return plus + text + _interval(value, unit, ends)


def _interval(value: float, unit: str, ends: Ends) -> str:
    """Write an interval about a value: half its width, or its ends where one is farther than the other."""
    if ends is None:
        return ""
    low, high = ends
    below, above = number(value - low, unit), number(high - value, unit)
    return f" ± {above}" if below == above else f" [{number(low, unit)}, {number(high, unit)}]"


def amount(metric: str, value: float) -> str:
    """Write a difference of a metric with its unit: "2.93 points of accuracy", "0.0123 nats of NLL"."""
    kind = METRICS[metric]
    return f"{number(value, kind.unit)} {AMOUNTS.get(kind.unit, 'in ')}{kind.title}"


def visible(metric: str, value: float) -> bool:
    """Whether a difference is written as anything but 0."""
    return any(digit in number(value, METRICS[metric].unit) for digit in "123456789∞")


def seconds(value: float) -> str:
    """Write how long something took: "3.2 s"."""
    return f"{value:.1f} s"


def place(path: Path) -> str:
    """Return a path as it is shortest to read from here."""
    relative = os.path.relpath(path)
    return legible(str(path) if relative.startswith("..") else relative)


def wrote(path: Path, up_to_date: bool = False) -> str:
    """Say that a file or folder was written, or is up to date."""
    return f"{place(path)} is up to date" if up_to_date else f"wrote {place(path)}"


def legible(text: str) -> str:
    """Return a text that can be printed, whatever bytes a file's name has."""
    return text.encode("utf-8", "replace").decode()


def iso(seconds_since_epoch: float) -> str:
    """Return a time of the file system as `meta.json` writes times."""
    return datetime.fromtimestamp(seconds_since_epoch, UTC).isoformat(timespec="seconds")


def minute(written: str) -> str:
    """Return a time of `meta.json` as the clock here shows it; one that cannot be read as it is."""
    try:
        return datetime.fromisoformat(written).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return legible(written[:16])
