"""Values as JSON has them: infinite numbers as words, and texts that are UTF-8."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def to_json(value: Any) -> Any:
    r"""Return nested values as JSON has them: tuples as lists, and ±∞ as "Infinity" and "-Infinity".

    JSON has no infinite numbers. Python's `float` and JavaScript's `Number` read these words as such. Nor
    has it half a surrogate pair, as Python makes of bytes in an argument or a file's name that are not
    UTF-8: it is spelled out, such as "\udcff".
    """
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def from_json(value: Any) -> Any:
    """Read numbers that `to_json` had to write as words."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return float(value) if value in ("Infinity", "-Infinity") else value
