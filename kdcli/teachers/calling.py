"""External teachers by their names on the command line."""

from pathlib import Path

from kdcli.runs.source import COMMAND, ONNX, PLACE, PREDICTIONS, PREFIX, source_kind
from kdcli.teachers.asked import CallableTeacher
from kdcli.teachers.command import TIMEOUT, CommandTeacher
from kdcli.teachers.function import FunctionTeacher
from kdcli.teachers.onnx import OnnxTeacher
from kdcli.teachers.onnx_inputs import Scaling


def opened(what: str, *, timeout: float = TIMEOUT, scaling: Scaling = "unit") -> CallableTeacher | None:
    """Return the callable teacher that this text names; None for a file of predictions.

    A command may take `timeout` seconds for each chunk of rows; `scaling` is the pixel scaling for an ONNX
    model. Nothing is run yet. Raises `UsageError` for any other text.
    """
    kind = source_kind(what)
    if kind == PREDICTIONS:
        return None
    if kind == COMMAND:
        return CommandTeacher(what.removeprefix(PREFIX), timeout)
    if kind == ONNX:
        return OnnxTeacher(Path(what), scaling)
    function = PLACE.fullmatch(what)
    assert function is not None  # noqa: S101 by its kind
    return FunctionTeacher(function["module"], function["name"])
