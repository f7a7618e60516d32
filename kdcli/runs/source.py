"""Sources of existing teachers: the kind of teacher that a text names, and its absolute path."""

import re
from pathlib import Path

from kdcli.data.tables.reading import is_table
from kdcli.errors import UsageError

COMMAND, FUNCTION, ONNX, PREDICTIONS = "a command", "a function", "an ONNX model", "a file of predictions"
ONLY_OF = {"id_column": PREDICTIONS, "timeout": COMMAND, "scaling": ONNX}  # settings of one kind alone
NUMPY = (".npz", ".npy")
FORMATS = "CSV, TSV, Parquet, Arrow, NPZ or NPY"
PREFIX = "command:"
PLACE = re.compile(r"(?P<module>.+\.py|[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")
WAYS = (
    "an external teacher is a function (package.module:function or file.py:function), a command "
    f"('command:./score --flag'), a model (model.onnx), or a file of predictions ({FORMATS})"
)


def source_kind(source: str) -> str:
    """Return the kind of teacher that a text names; raises `UsageError` for any other text."""
    path = Path(source)
    if source.startswith(PREFIX):
        return COMMAND
    if path.suffix.lower() == ".onnx":
        return ONNX
    if path.suffix.lower() in NUMPY or is_table(path):
        return PREDICTIONS
    if PLACE.fullmatch(source):
        return FUNCTION
    raise UsageError(f"'{source}' names no teacher" + _likely(source, path.suffix.lower()), WAYS)


def check_source(source: str) -> None:
    """Raise `UsageError` for a text that names no teacher, unless it is empty."""
    if source:
        source_kind(source)


def runs_code(source: str) -> bool:
    """Whether a text names code of the user's own."""
    return source_kind(source) in (COMMAND, FUNCTION)


def absolute(source: str) -> str:
    """Return the text with an absolute path, if it names a file; a command is unchanged."""
    if not source or source_kind(source) == COMMAND:
        return source
    module, _, _ = source.rpartition(":")
    is_module = source_kind(source) == FUNCTION and not module.endswith(".py")
    return source if is_module else str(Path(source).absolute())


def _likely(source: str, suffix: str) -> str:
    """Say what is probably meant, as the end of a sentence."""
    if suffix == ".py":
        return f": name a function in it, such as {source}:predict"
    if suffix in (".pkl", ".pickle", ".joblib", ".pt", ".pth"):
        return ": reading such a file runs code in it; write a function that loads it"
    return ""
