"""ONNX: a graph from the columns of a table, or from features, to a label and probabilities."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from kdcli.data.tables.columns import NO, YES
from kdcli.data.tables.encoding import Encoded
from kdcli.errors import KdError
from kdcli.exports.kind import Exported
from kdcli.store import to_json

if TYPE_CHECKING:
    from kdcli.models.computation import Trees

OPSET, ML_OPSET, IR = 17, 3, 8  # old enough for runtimes of 2022
MATRIX = "x"  # the input of features, or of images
NODES = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
TARGETS = ("treeids", "nodeids", "ids", "weights")
OUTPUTS = ("label", "probabilities")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
UNKNOWN, LACKING = -1, -2  # codes of categories without a feature, and of missing values
MONDAY = 3  # days from a Monday to 1970-01-01
LONG_AGO = 719_468  # days from 1 March of the year 0 to 1970-01-01
ERA, CYCLE = 146_097, 1460  # days of 400 years, and of four


def column_names(student: Exported) -> list[str]:
    """Return the names of the inputs, one for each column; empty if the input is a single matrix."""
    return [] if student.encoded or not student.columns else [column.name for column in student.columns]


class Graph:
    """A graph under construction: its nodes and constants; no value has the name of a column."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.prefix = "kd_"
        while any(name.startswith(self.prefix) for name in columns):
            self.prefix += "_"

    def __call__(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        from onnx import helper

        output = output or f"{self.prefix}{len(self.nodes)}"
        domain = "ai.onnx.ml" if operator in ("LabelEncoder", "TreeEnsembleRegressor") else ""
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def constant(self, values: np.ndarray | Sequence[str]) -> str:
        """Add a constant: an array, or texts."""
        from onnx import TensorProto, helper, numpy_helper

        name = f"{self.prefix}constant_{len(self.constants)}"
        if isinstance(values, np.ndarray):
            tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
        else:
            texts = [text.encode() for text in values]
            tensor = helper.make_tensor(name, TensorProto.STRING, [len(texts)], texts)  # type: ignore[arg-type]
        self.constants.append(tensor)
        return name


def write(student: Exported) -> bytes:
    """Write a student as a model; raises `KdError` without the package onnx."""
    onnx = imported()
    helper, kinds = onnx.helper, onnx.TensorProto
    names = column_names(student)
    graph = Graph(names)
    if names:
        types = {"number": kinds.FLOAT, "category": kinds.DOUBLE, "date": kinds.DOUBLE, "text": kinds.STRING}
        inputs = [
            helper.make_tensor_value_info(column.name, types.get(kind_of(column), kinds.FLOAT), ["N", 1])
            for column in student.columns
        ]
        x = graph(
            "Concat",
            *(part for column in student.columns for part in features_of(graph, column, student)),
            axis=1,
        )
    else:
        kind = kinds.UINT8 if student.is_bytes else kinds.FLOAT
        inputs = [helper.make_tensor_value_info(MATRIX, kind, ["N", *student.shape])]
        x = graph("Cast", MATRIX, to=kinds.FLOAT) if student.is_bytes else MATRIX
        if len(student.shape) > 1:
            x = graph("Flatten", x)
    label, probabilities = OUTPUTS
    _answer(graph, student, x)
    outputs = [
        helper.make_tensor_value_info(label, kinds.STRING, ["N"]),
        helper.make_tensor_value_info(probabilities, kinds.FLOAT, ["N", len(student.classes)]),
    ]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    made = helper.make_graph(graph.nodes, "student", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="kd")
    model.doc_string = f"{student.who}, taught: {student.taught}"
    facts = {"classes": list(student.classes), "features": student.features, **student.facts}
    helper.set_model_props(model, {key: _text(value) for key, value in facts.items()})
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def imported() -> Any:
    """Import onnx; raises `KdError` if it is not installed."""
    try:
        import onnx
    except ImportError:
        raise KdError("ONNX models need the package onnx", "pip install 'kdcli[onnx]'") from None
    return onnx


def _text(value: Any) -> str:
    return (
        value if isinstance(value, str) else json.dumps(to_json(value), ensure_ascii=False, allow_nan=False)
    )


def kind_of(column: Encoded) -> str:
    """Return the kind of the input of a column: "text", or the column's kind if it holds numbers."""
    return "text" if column.kind in ("category", "yes/no") and not column.numeric else column.kind


def features_of(graph: Graph, column: Encoded, student: Exported) -> list[str]:
    """Add the nodes that compute the features of a column, `(N, k)` each, and return their names."""
    from onnx import TensorProto

    lacking = {word: LACKING for word in ("", *student.missing) if word not in column.levels}
    value, double = column.name, kind_of(column) in ("category", "date")
    if column.kind == "category":
        code = (
            _code_of_number(graph, column, lacking)
            if column.numeric
            else _code_of_text(graph, column, lacking)
        )
        known = [*range(len(column.levels)), *[UNKNOWN] * column.others, *[LACKING] * column.missing]
        if not known:
            return []
        equal = graph("Equal", code, graph.constant(np.array([known], dtype=np.int64)))
        return [graph("Cast", equal, to=TensorProto.FLOAT)]
    if kind_of(column) == "text":
        words = dict.fromkeys(YES, 1.0) | dict.fromkeys(NO, 0.0)
        cases = {case: number for word, number in words.items() for case in _cases(word)}
        value = graph(
            "LabelEncoder",
            value,
            keys_strings=list(cases),
            values_floats=list(cases.values()),
            default_float=float("nan"),
        )
    nothing = _is_missing(graph, value, lacking, double=double)
    if student.fills:
        middle = np.array([[column.middle]], dtype=np.float64 if double else np.float32)
        value = graph("Where", nothing, graph.constant(middle), value)
    features = [graph("Cast", value, to=TensorProto.FLOAT) if double else value]
    features += _calendar(graph, value) if double else []
    return features + ([graph("Cast", nothing, to=TensorProto.FLOAT)] if column.missing else [])


def _is_missing(graph: Graph, value: str, lacking: Iterable[str], *, double: bool) -> str:
    """Add nodes for whether a number is missing: NaN, or a number whose text counts as missing."""
    nothing = graph("IsNaN", value)
    for word in filter(NUMBER.fullmatch, lacking):
        kind = np.float64 if double else np.float32
        nothing = graph(
            "Or", nothing, graph("Equal", value, graph.constant(np.array([[float(word)]], dtype=kind)))
        )
    return nothing


def _code_of_text(graph: Graph, column: Encoded, lacking: Mapping[str, int]) -> str:
    """Add a node for the code of a word's level."""
    codes = {**lacking, **{level: code for code, level in enumerate(column.levels)}}
    return graph(
        "LabelEncoder",
        column.name,
        keys_strings=list(codes),
        values_int64s=list(codes.values()),
        default_int64=UNKNOWN,
    )


def _code_of_number(graph: Graph, column: Encoded, lacking: Iterable[str]) -> str:
    """Add nodes for the code of a number's level."""
    code = graph.constant(np.array([[UNKNOWN]]))
    for number, level in enumerate(column.levels):
        same = graph("Equal", column.name, graph.constant(np.array([[float(level)]])))
        code = graph("Where", same, graph.constant(np.array([[number]])), code)
    nothing = _is_missing(graph, column.name, lacking, double=True)
    return graph("Where", nothing, graph.constant(np.array([[LACKING]])), code)


def _cases(word: str) -> list[str]:
    """Return a word in all combinations of lower-case and upper-case letters."""
    return ["".join(letters) for letters in product(*({c, c.upper()} for c in word))]


def _calendar(graph: Graph, days: str) -> list[str]:
    """Add nodes for the month and the weekday (1 is Monday) of days since 1970-01-01, in integers.

    The calendar repeats every 400 years. Years start in March, so that a leap day is their last day.
    """
    from onnx import TensorProto

    def whole(value: int) -> str:
        return graph.constant(np.array([[value]], dtype=np.int64))

    def modulo(value: str, by: int) -> str:
        return graph("Mod", value, whole(by))

    day = graph("Cast", graph("Floor", days), to=TensorProto.INT64)
    weekday = graph("Add", modulo(graph("Add", day, whole(MONDAY)), 7), whole(1))
    of_era = modulo(graph("Add", day, whole(LONG_AGO)), ERA)
    skipped = graph("Sub", graph("Div", of_era, whole(36_524)), graph("Div", of_era, whole(ERA - 1)))
    skipped = graph("Sub", skipped, graph("Div", of_era, whole(CYCLE)))
    year = graph("Div", graph("Add", of_era, skipped), whole(365))
    leaps = graph("Sub", graph("Div", year, whole(4)), graph("Div", year, whole(100)))
    start = graph("Add", graph("Mul", year, whole(365)), leaps)
    of_year = graph("Sub", of_era, start)
    month = graph("Div", graph("Add", graph("Mul", of_year, whole(5)), whole(2)), whole(153))  # 0 is March
    month = graph("Add", modulo(graph("Add", month, whole(2)), 12), whole(1))
    return [graph("Cast", number, to=TensorProto.FLOAT) for number in (month, weekday)]


def _answer(graph: Graph, student: Exported, x: str) -> None:
    """Add the nodes that compute label and probabilities from features `x (N, features)`."""
    (label, probabilities), computation = OUTPUTS, student.computation
    h = x
    if convolution := computation.convolution:
        size = graph.constant(np.array([0, *convolution.size]))
        shifted = [graph.constant(convolution.filters), graph.constant(convolution.bias)]
        filtered = graph("Relu", graph("Conv", graph("Reshape", h, size), *shifted))
        h = graph("Flatten", filtered)
    centre, layers = student.centred
    if centre is not None:
        h = graph("Sub", h, graph.constant(centre))
    for k, layer in enumerate(layers):
        h = graph("Relu", h) if k else h
        h = graph("Gemm", h, graph.constant(layer.weight), graph.constant(layer.bias), transB=1)
    if (trees := computation.trees) and len(trees.roots):
        h = graph("TreeEnsembleRegressor", h, **_trees(trees))
    elif trees:
        nothing = np.zeros((student.x.shape[1], len(trees.base)), dtype=np.float32)
        h = graph("Gemm", h, graph.constant(nothing), graph.constant(trees.base))
    if computation.softmax:
        graph("Softmax", h, axis=1, output=probabilities)
    else:
        graph("Identity", h, output=probabilities)
    best = graph("ArgMax", probabilities, axis=1, keepdims=0)
    graph("Gather", graph.constant(list(student.classes)), best, output=label)


def _trees(trees: Trees) -> dict[str, Any]:
    """Return trees as attributes of a node; the nodes of each tree are numbered from 0, level by level."""
    nodes: list[tuple[Any, ...]] = []
    targets: list[tuple[Any, ...]] = []
    for tree, root in enumerate(trees.roots.tolist()):
        to_do, number = [root], 0
        while number < len(to_do):
            node = to_do[number]
            low = high = 0
            if node >= 0:
                low, high = len(to_do), len(to_do) + 1
                to_do += trees.branches[node].tolist()
            else:
                for k, weight in enumerate(trees.value[-1 - node].tolist()):
                    targets.append((tree, number, int(trees.first[tree]) + k, weight))
            feature, threshold = (trees.feature[node], trees.threshold[node]) if node >= 0 else (0, 0.0)
            mode = "BRANCH_LEQ" if node >= 0 else "LEAF"
            nodes.append((tree, number, int(feature), mode, float(threshold), low, high))
            number += 1
    return {
        **{f"nodes_{name}": values for name, values in zip(NODES, zip(*nodes, strict=True), strict=True)},
        **{
            f"target_{name}": values for name, values in zip(TARGETS, zip(*targets, strict=True), strict=True)
        },
        "n_targets": len(trees.base),
        "base_values": trees.base.tolist(),
        "aggregate_function": "SUM",
    }
