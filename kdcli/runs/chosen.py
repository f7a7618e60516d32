"""The value that a student set chose for an "auto" setting of its target, as stored in its record."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kdcli.runs.recipe import Students
from kdcli.settings import rules
from kdcli.targets import AUTO, SMOOTHING, TEMPERATURES

CHOSEN = MappingProxyType({TEMPERATURES: "chosen_temperature", SMOOTHING: "chosen_smoothing"})


def read_chosen(record: Mapping[str, Any], settings: Students) -> float | None:
    """Return the value that a set with these settings chose; raises ValueError if its record is invalid."""
    found: float | None = None
    for key, name in CHOSEN.items():
        value = record.get(name)
        if getattr(settings, key) in (AUTO, (AUTO,)):
            known = type(value) is float and not rules(Students)[key].problem(value)
            found = value
        else:
            known = name not in record
        if not known:
            raise ValueError(f"{name} must be a value of {key} if {key} is {AUTO}, and missing otherwise")
    return found
