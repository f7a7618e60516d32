import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import (
    COLUMNS,
    NASTY,
    answered_features,
    image_stacks,
    leaving,
    leaving_images,
    stacks,
    training_rows,
)
from onnx.reference import ReferenceEvaluator

from kdcli.data.tables.applying import applied
from kdcli.data.tables.encoding import Encoded
from kdcli.exports import FORMATS, Exported, Rows
from kdcli.exports.made import table_of
from kdcli.exports.onnx_graph import OPSET, Graph, column_names, features_of
from kdcli.exports.onnx_run import input_of, run
from kdcli.exports.proof import Proof, prove


def written(student: Exported) -> onnx.ModelProto:
    content = FORMATS["onnx"].write(student)
    Path("student.onnx").write_bytes(content)
    return onnx.load_model_from_string(content)


def asked(student: Exported, rows: Rows) -> dict[str, np.ndarray]:
    return {
        column.name: input_of(column, [row[k] for row in rows.raw])
        for k, column in enumerate(student.columns)
    }


def test_inputs_are_the_columns_and_outputs_label_and_probabilities() -> None:
    model = written(leaving(stacks()["mlp"]))
    kinds = onnx.TensorProto
    inputs = {value.name: value.type.tensor_type for value in model.graph.input}
    assert {name: tensor.elem_type for name, tensor in inputs.items()} == {
        **{"age": kinds.FLOAT, "plan": kinds.STRING, "active": kinds.STRING, "town": kinds.STRING},
        **{"since": kinds.DOUBLE, "seen": kinds.DOUBLE},
    }
    shapes = {tuple(d.dim_param or d.dim_value for d in tensor.shape.dim) for tensor in inputs.values()}
    assert shapes == {("N", 1)}
    assert [value.name for value in model.graph.output] == ["label", "probabilities"]
    assert {opset.version for opset in model.opset_import if not opset.domain} == {OPSET}
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_metadata_say_what_it_is_and_where_it_comes_from() -> None:
    model = written(leaving(stacks(3)["gbdt"], classes=("a", "b", "ü")))
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["classes"]) == ["a", "b", "ü"]
    assert json.loads(facts["features"])[:3] == ["age", "age missing", "plan = basic"]
    assert facts["run"] == "tiny"
    assert json.loads(facts["metrics"]) == {"accuracy": 0.9}
    assert "soft, T = 1" in model.doc_string


@pytest.mark.parametrize("family", ["mlp", "tree", "forest", "gbdt"])
def test_the_reference_evaluator_gives_the_same(family: str) -> None:
    stack = stacks(3)[family]
    student, rows = leaving(stack), answered_features(stack, training_rows(seed=8))
    label, p = ReferenceEvaluator(written(student)).run(None, asked(student, rows))
    np.testing.assert_allclose(p, rows.p, atol=1e-5)
    assert label.tolist() == [student.classes[k] for k in rows.p.argmax(1)]


def test_the_reference_evaluator_stands_in_for_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    student = leaving(stacks()["tree"])
    written(student)
    ran = run(Path("student.onnx"), student, student.golden)
    assert ran.by.startswith("the reference evaluator of onnx")
    np.testing.assert_allclose(ran.p, student.golden.p, atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_batches_of_any_size(n: int) -> None:
    import onnxruntime

    student = leaving(stacks()["mlp"])
    written(student)
    session = onnxruntime.InferenceSession("student.onnx")
    label, p = session.run(None, asked(student, student.golden.first(n)))
    assert (label.shape, p.shape) == ((n,), (n, 2))


def test_encoded_it_takes_one_matrix_and_images_are_bytes() -> None:
    kinds = onnx.TensorProto
    encoded = leaving(stacks()["mlp"], encoded=True)
    assert column_names(encoded) == []
    (features,) = written(encoded).graph.input
    assert (features.name, features.type.tensor_type.elem_type) == ("x", kinds.FLOAT)
    ran = run(Path("student.onnx"), encoded, encoded.golden)
    np.testing.assert_allclose(ran.p, encoded.golden.p, atol=1e-5)
    images, _ = leaving_images(image_stacks()["cnn"], is_bytes=True)
    (pixels,) = written(images).graph.input
    assert pixels.type.tensor_type.elem_type == kinds.UINT8
    assert [d.dim_param or d.dim_value for d in pixels.type.tensor_type.shape.dim] == ["N", 8, 6]


def test_the_calendar_is_that_of_kd() -> None:
    days = Encoded("day", "date", format="%Y-%m-%d")
    start = date(1890, 1, 1)
    texts = [(start + timedelta(days=k)).isoformat() for k in range(0, 110_000, 13)]
    columns = (days,)
    x = applied(table_of(columns, [[text] for text in texts]), columns).numpy()
    student = leaving(stacks(columns=COLUMNS)["linear"])
    graph = Graph(["day"])
    parts = features_of(graph, days, student)
    helper, kinds = onnx.helper, onnx.TensorProto
    made = helper.make_graph(
        graph.nodes,
        "days",
        [helper.make_tensor_value_info("day", kinds.DOUBLE, ["N", 1])],
        [helper.make_tensor_value_info(part, kinds.FLOAT, ["N", 1]) for part in parts],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    found = ReferenceEvaluator(model).run(None, {"day": input_of(days, texts)})
    np.testing.assert_array_equal(np.concatenate(found, 1), x)


def test_names_of_columns_that_are_those_of_outputs_are_refused() -> None:
    columns = (Encoded("label", "number"), *COLUMNS)
    student = leaving(stacks(columns=columns)["linear"], columns)
    assert "no input can be 'label'" in FORMATS["onnx"].obstacle(student)
    assert not FORMATS["onnx"].obstacle(leaving(stacks(columns=columns)["linear"], columns, encoded=True))


def test_values_within_have_names_that_no_column_has() -> None:
    columns = tuple(Encoded(name, "number", missing=True) for name in ("kd_0", "kd_constant_0", "kd__1"))
    stack = stacks(columns=columns)["mlp"]
    student = leaving(stack, columns, NASTY[:2])
    written(student)
    ran = run(Path("student.onnx"), student, student.golden)
    np.testing.assert_allclose(ran.p, student.golden.p, atol=1e-5)


def test_boosted_trees_that_add_nothing() -> None:
    stack = stacks(3)["gbdt"]
    stack.branches.zero_()
    stack.value.zero_()
    student = leaving(stack)
    trees = student.computation.trees
    assert trees is not None
    assert len(trees.roots) == 0
    for name in ("onnx", "python"):
        path = Path(f"student{FORMATS[name].suffix}")
        path.write_bytes(FORMATS[name].write(student))
        proof = prove(FORMATS[name], path, student, student.golden, student.golden, 8, 1)
        assert isinstance(proof, Proof)
