"""ONNX models that tests build."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None]
FLOAT, DOUBLE, INT64, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING
UINT8, BOOL = TensorProto.UINT8, TensorProto.BOOL


def model(
    nodes: Sequence[NodeProto],
    inputs: dict[str, tuple[int, Shape]],
    outputs: Sequence[Any],
    weights: dict[str, Any] | None = None,
    opset: int = 17,
) -> ModelProto:
    """A model of these nodes; `outputs` are value infos, or names of `(N, 2)` floats."""
    given = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    answered = [
        helper.make_tensor_value_info(output, FLOAT, ["N", 2]) if isinstance(output, str) else output
        for output in outputs
    ]
    constants = [numpy_helper.from_array(np.array(value), name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "graph", given, answered, constants)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def saved(made: ModelProto, name: str = "net.onnx") -> Path:
    """Write a model into the current folder."""
    path = Path(name)
    path.write_bytes(made.SerializeToString())
    return path


def tensor(name: str, kind: int, shape: Shape | None) -> Any:
    """The value info of an output of a graph."""
    return helper.make_tensor_value_info(name, kind, shape)


def passing(kind: int, shape: Shape, answer: Shape = ("N", None), name: str = "x") -> ModelProto:
    """A model that answers with its input, flattened to two axes and as floats."""
    nodes = [
        helper.make_node("Flatten", [name], ["flat"]),
        helper.make_node("Cast", ["flat"], ["y"], to=FLOAT),
    ]
    return model(nodes, {name: (kind, shape)}, [tensor("y", FLOAT, answer)])


def zipmap(keys: dict[str, Sequence[Any]], extra: Sequence[Any] = ()) -> ModelProto:
    """A classifier as converters write them: labels, then a dict of probabilities for each example."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
        helper.make_node("ZipMap", ["x"], ["output_probability"], domain="ai.onnx.ml", **keys),
    ]
    key = STRING if "classlabels_strings" in keys else INT64
    value = helper.make_tensor_type_proto(FLOAT, None)
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(key, value))
    outputs = [tensor("label", INT64, ["N"]), helper.make_value_info("output_probability", maps), *extra]
    return model(nodes, {"x": (FLOAT, ["N", 2])}, outputs)
