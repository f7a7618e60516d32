"""Conversion of values for JSON: infinite numbers as words, and texts as valid UTF-8."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def to_json(value: Any) -> Any:
    r"""Convert nested values for JSON: tuples to lists, and ±∞ to "Infinity" and "-Infinity".

    JSON has no infinite numbers; Python's `float` and JavaScript's `Number` read these words as such. JSON
    has no lone surrogates either, which Python makes of bytes that are not UTF-8 in an argument or a file
    name: they are escaped, as in "\udcff".
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
    """Convert the words that `to_json` writes for infinite numbers back to numbers."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return float(value) if value in ("Infinity", "-Infinity") else value
