"""Finds the output of an ONNX model that has the probabilities, and reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError
from kdcli.teachers.onnx_inputs import FLOATS

if TYPE_CHECKING:
    import numpy as np

MAPS = "seq(map("  # the type of ZipMap outputs: a dict for each example


def probability_output(outputs: Sequence[Any], n_classes: int, who: str) -> Any:
    """Return the output that has a number for each class: the only one, or the only one named "prob…".

    Labels, which classifiers also output, are skipped. Raises `KdError` unless there is one such output.
    """
    numeric = [output for output in outputs if output.type.startswith(MAPS) or _may_be(output, n_classes)]
    if len(numeric) > 1:
        named = [output for output in numeric if "prob" in output.name.lower()]
        numeric = named if len(named) == 1 else numeric
    if len(numeric) == 1:
        return numeric[0]
    given = ", ".join(f"{output.name} {output.type} {output.shape}" for output in numeric or outputs)
    which = "several outputs" if numeric else "no output"
    raise KdError(
        f"{who} has {which} that may be probabilities of {n_classes} classes: {given}",
        "name one of them 'probabilities'" if numeric else f"it needs a float output (N, {n_classes})",
    )


def _may_be(output: Any, n_classes: int) -> bool:
    """Whether an output is a float tensor `(N, n_classes)`, `(N, 1)` or `(N,)`, as far as the graph says."""
    sizes = list(output.shape or [])[1:]
    fits = not sizes or (len(sizes) == 1 and (not isinstance(sizes[0], int) or sizes[0] in (1, n_classes)))
    return output.type in FLOATS and fits


def as_rows(answer: Any, classes: Sequence[str], who: str) -> np.ndarray:
    """Return a batch's answer as an array, `(batch, n_classes)` or in its own shape.

    The dicts of a ZipMap are read by class name, or by position where their keys count from 0. Raises
    `KdError` for other keys.
    """
    import numpy as np

    if not isinstance(answer, list):
        return np.asarray(answer)
    order = _order(answer[0], classes, who)
    return np.array([[row[key] for key in order] for row in answer])


def _order(row: Mapping[Any, float], classes: Sequence[str], who: str) -> list[Any]:
    """Return the keys of a dict in the order of the classes."""
    by_name = {str(key): key for key in row}
    if set(by_name) == {*classes}:
        return [by_name[name] for name in classes]
    if set(row) == {*range(len(classes))}:
        return list(range(len(classes)))
    raise KdError(
        f"{who} has the classes {', '.join(by_name)}, but the data have {', '.join(classes)}",
        "the names must be equal, or those of the model must count from 0",
    )
