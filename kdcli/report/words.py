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
}  # by unit; ".4f" for all others
SUFFIXES = {"%": " %", "ms": " ms", "µs": " µs"}  # units written after every number
AMOUNTS = {"%": "points of ", "nats": "nats of ", "errors": ""}  # by unit; "in " for all others


def number(value: float, unit: str = "") -> str:
    """Write a value or a difference without its unit: "94.50" for "%", "−0.0123", "∞"."""
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
"""The ends of an interval, if there is one."""


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
    """Write the interval of a value: half its width, or both ends if it is not symmetric."""
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
    """Whether a difference rounds to anything but 0."""
    return any(digit in number(value, METRICS[metric].unit) for digit in "123456789∞")


def seconds(value: float) -> str:
    """Write a duration: "3.2 s"."""
    return f"{value:.1f} s"


def place(path: Path) -> str:
    """Return a path relative to the working folder, or the whole path if it lies outside."""
    relative = os.path.relpath(path)
    return legible(str(path) if relative.startswith("..") else relative)


def wrote(path: Path, up_to_date: bool = False) -> str:
    """Say that a file or folder was written, or is up to date."""
    return f"{place(path)} is up to date" if up_to_date else f"wrote {place(path)}"


def legible(text: str) -> str:
    """Return a text that can be printed, whatever bytes a file's name has."""
    return text.encode("utf-8", "replace").decode()


def iso(seconds_since_epoch: float) -> str:
    """Return a file system time in the format of `meta.json`."""
    return datetime.fromtimestamp(seconds_since_epoch, UTC).isoformat(timespec="seconds")


def minute(written: str) -> str:
    """Return a time of `meta.json` in local time; unchanged if it cannot be parsed."""
    try:
        return datetime.fromisoformat(written).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return legible(written[:16])
