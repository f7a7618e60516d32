"""External teachers, as the command line names them."""

import re
from pathlib import Path

from kdcli.errors import UsageError
from kdcli.teachers.asked import CallableTeacher
from kdcli.teachers.command import TIMEOUT, CommandTeacher
from kdcli.teachers.function import FunctionTeacher
from kdcli.teachers.onnx import OnnxTeacher
from kdcli.teachers.onnx_inputs import Scaling
from kdcli.teachers.predictions import FORMATS, is_predictions

FUNCTION = re.compile(r"(?P<module>.+\.py|[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")
WAYS = (
    "an external teacher is a function (package.module:function or file.py:function), a command "
    f"('command:./score --flag'), a model (model.onnx), or a file of predictions ({FORMATS})"
)


def opened(what: str, *, timeout: float = TIMEOUT, scaling: Scaling = "unit") -> CallableTeacher | None:
    """Return the teacher that can be called by this text; None for a file of predictions.

    A command may take `timeout` seconds for each chunk of rows; `scaling` is that of the pixels an ONNX model
    gets. Nothing is run yet. Raises `UsageError` for any other text.
    """
    prefix, colon, command = what.partition(":")
    if prefix == "command" and colon:
        return CommandTeacher(command, timeout)
    path = Path(what)
    if path.suffix.lower() == ".onnx":
        return OnnxTeacher(path, scaling)
    if is_predictions(path):
        return None
    if function := FUNCTION.fullmatch(what):
        return FunctionTeacher(function["module"], function["name"])
    raise UsageError(f"'{what}' names no teacher" + _likely(what, path.suffix.lower()), WAYS)


def _likely(what: str, suffix: str) -> str:
    """Say what is probably meant, as the end of a sentence."""
    if suffix == ".py":
        return f": which function of it, as in {what}:predict?"
    if suffix in (".pkl", ".pickle", ".joblib", ".pt", ".pth"):
        return ": reading such a file runs the code in it; write a function that does"
    return ""


def runs_code(what: str) -> bool:
    """Whether a teacher's text names code of the user's own: a function or a command."""
    return not isinstance(opened(what), OnnxTeacher | None)
