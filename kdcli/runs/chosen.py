"""What a student set chose where the setting of its target is "auto", as its record has it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kdcli.runs.recipe import Students
from kdcli.settings import rules
from kdcli.targets import AUTO, SMOOTHING, TEMPERATURES

CHOSEN = MappingProxyType({TEMPERATURES: "chosen_temperature", SMOOTHING: "chosen_smoothing"})


def read_chosen(record: Mapping[str, Any], settings: Students) -> float | None:
    """Return what a set of these settings chose; raises ValueError where its record makes no sense."""
    found: float | None = None
    for key, name in CHOSEN.items():
        value = record.get(name)
        if getattr(settings, key) in (AUTO, (AUTO,)):
            known = type(value) is float and not rules(Students)[key].problem(value)
            found = value
        else:
            known = name not in record
        if not known:
            raise ValueError(f"{name} must be a value of {key} where that is {AUTO}, and only there")
    return found
