"""Running an exported ONNX model on rows as they are in a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdcli.data.tables.encoding import Encoded
from kdcli.exports.kind import TIMED, Exported, Ran, Rows
from kdcli.exports.onnx_graph import MATRIX, OUTPUTS, column_names, kind_of

BATCH = 4096
YESES = {"yes": 1, "no": 0}


def run(path: Path, student: Exported, rows: Rows) -> Ran:
    """Run a model with ONNX Runtime or, if that is not installed, with the reference evaluator of onnx."""
    asked = _asked(student, rows)
    by, ask = _runtime(path)
    n = len(rows.x)
    answers = [
        ask({name: values[k : k + BATCH] for name, values in asked.items()}) for k in range(0, n, BATCH)
    ]
    singles = [{name: values[k : k + 1] for name, values in asked.items()} for k in range(min(n, TIMED))]
    latencies = []
    for single in singles:
        start = time.perf_counter()
        ask(single)
        latencies.append(1e6 * (time.perf_counter() - start))
    classes = {name: k for k, name in enumerate(student.classes)}
    predicted = np.array([classes[name] for labels, _ in answers for name in labels.tolist()])
    p = np.concatenate([p for _, p in answers]).astype(np.float64)
    return Ran(by, p, predicted, latencies)


def _runtime(path: Path) -> tuple[str, Any]:
    """Return the name of the runtime, and a function that runs the model."""
    try:
        import onnxruntime
    except ImportError:
        import onnx
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(str(path))
        return f"the reference evaluator of onnx {onnx.__version__}", lambda asked: evaluator.run(
            list(OUTPUTS), asked
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return f"ONNX Runtime {onnxruntime.__version__}", lambda asked: session.run(list(OUTPUTS), asked)


def _asked(student: Exported, rows: Rows) -> dict[str, np.ndarray]:
    """Return rows as the inputs of a model."""
    if not column_names(student):
        kind = np.uint8 if student.is_bytes else np.float32
        return {MATRIX: rows.x.reshape(-1, *student.shape).astype(kind)}
    return {
        column.name: input_of(column, [row[k] for row in rows.raw])
        for k, column in enumerate(student.columns)
    }


def input_of(column: Encoded, values: Sequence[Any]) -> np.ndarray:
    """Return the values of a column as a model input, `(n, 1)`: dates as days since 1970-01-01."""
    import polars as pl

    from kdcli.data.tables.encoding import as_numbers

    kind = kind_of(column)
    if kind == "text":
        texts = ["" if value is None else value for value in values]
        return np.array(texts, dtype=object).reshape(-1, 1)
    numbers = pl.Series([YESES.get(value, value) for value in values] if kind == "yes/no" else values)
    if kind == "date":
        dates = pl.Series(values, dtype=pl.String)
        dates = dates if column.format else dates.str.to_datetime(time_unit="us")
        numbers = as_numbers("date", dates, column.format)
    wide = np.float64 if kind in ("category", "date") else np.float32
    doubles = numbers.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return doubles.astype(wide).reshape(-1, 1)
