"""Formats that a student leaves in: one file each, a student in, the content of a file out."""

from types import MappingProxyType

from kdcli.errors import unknown
from kdcli.exports import rules
from kdcli.exports.kind import Exported, FormatKind

__all__ = ["FORMATS", "Exported", "FormatKind", "find_format"]

FORMATS: MappingProxyType[str, FormatKind] = MappingProxyType({"rules": rules.FORMAT})


def find_format(name: str) -> FormatKind:
    """Look up a format by name; raises `UsageError` with the nearest name."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]
