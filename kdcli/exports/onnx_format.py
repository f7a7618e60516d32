"""The ONNX format, for the list of formats; the code that writes it is imported only when needed."""

from __future__ import annotations

from pathlib import Path

from kdcli.data.tables.encoding import Encoded
from kdcli.exports.kind import Exported, FormatKind, Ran, Rows


def write(student: Exported) -> bytes:
    """Write a student as a model; raises `KdError` without the package onnx."""
    from kdcli.exports.onnx_graph import write

    return write(student)


def run(path: Path, student: Exported, rows: Rows) -> Ran:
    """Run a model with ONNX Runtime, or with the reference evaluator."""
    from kdcli.exports.onnx_run import run

    return run(path, student, rows)


def obstacle(student: Exported) -> str:
    """Return why the columns of a student cannot be inputs; empty if they can, or need not be."""
    if student.encoded:
        return ""
    odd = [column.name for column in student.columns if column.name in ("", "label", "probabilities")]
    return (
        f"its outputs are label and probabilities, so no input can be '{odd[0]}'; try --encoded"
        if odd
        else ""
    )


def _sample(student: Exported) -> str:
    """Return a golden row as the inputs of a model."""
    from kdcli.exports.onnx_run import input_of

    lines = []
    for k, column in enumerate(student.columns):
        value = input_of(column, [student.golden.raw[0][k]])[0, 0]
        if isinstance(value, str):
            written = f"[[{value!a}]], dtype=object"
        else:
            written = f"[[{'np.nan' if value != value else value}]], dtype=np.{type_of(column)}"
        lines.append(f"    {column.name!a}: np.array({written}),")
    return "\n".join(["{  # a synthetic row", *lines, "}"])


def usage(file: str, student: Exported) -> str:
    """Return Markdown on how to run the model."""
    if student.columns and not student.encoded:
        asked = (
            "# an array of shape (n, 1) for each column, by name, with the types below: numbers, or NaN if\n"
            "# missing; dates as days since 1970-01-01; text, or '' if missing\n"
            f"rows = {_sample(student)}"
        )
    else:
        what = "pixels, uint8" if student.is_bytes else "features, float32"
        asked = f"rows = {{'x': ...}}  # {what}, of shape {('n', *student.shape)}".replace("'n'", "n")
    return (
        "Any ONNX runtime runs it. In Python:\n\n```python\nimport numpy as np\nimport onnxruntime\n\n"
        f"session = onnxruntime.InferenceSession('{file}')\n{asked}\n"
        "label, probabilities = session.run(['label', 'probabilities'], rows)\n```\n\n"
        "`session.get_modelmeta().custom_metadata_map` has its classes, its features and its origin."
    )


def type_of(column: Encoded) -> str:
    """Return the type of the input of a column."""
    from kdcli.exports.onnx_graph import kind_of

    return {"text": "string", "category": "float64", "date": "float64"}.get(kind_of(column), "float32")


FORMAT = FormatKind(
    "one model for any ONNX runtime",
    ".onnx",
    write,
    obstacle,
    usage,
    run,
    encodes=True,
    is_text=False,
    type_of=type_of,
)
