"""Export formats, one module each: they turn a student into the content of a file."""

from types import MappingProxyType

from kdcli.errors import unknown
from kdcli.exports import c_header, onnx_format, rules, scripts
from kdcli.exports.kind import Exported, FormatKind, Rows

__all__ = ["FORMATS", "Exported", "FormatKind", "Rows", "find_format"]

FORMATS: MappingProxyType[str, FormatKind] = MappingProxyType(
    {
        "python": scripts.PYTHON,
        "onnx": onnx_format.FORMAT,
        "c": c_header.FORMAT,
        "javascript": scripts.JAVASCRIPT,
        "rules": rules.FORMAT,
    }
)


def find_format(name: str) -> FormatKind:
    """Look up a format by name; raises `UsageError` with the nearest name."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]
