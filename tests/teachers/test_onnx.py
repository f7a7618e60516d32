import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from teachers.asking import CLASSES, images, table
from teachers.graphs import FLOAT, INT64, model, passing, saved, tensor, zipmap

from kdcli.errors import KdError
from kdcli.teachers import onnx as models
from kdcli.teachers.asked import Asked
from kdcli.teachers.onnx import OnnxTeacher

NUMBERS = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.5, 1.0]]  # the encoded features of the table


def failure(path: Path, asked: Asked | None = None) -> KdError:
    with pytest.raises(KdError) as failed:
        OnnxTeacher(path).ask(asked or table())
    assert failed.value.hint
    assert len(failed.value.message) < 600
    return failed.value


def doubled(batch: int | str) -> ModelProto:
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    return model(nodes, {"x": (FLOAT, [batch, 2])}, [tensor("y", FLOAT, [batch, 2])])


@pytest.mark.parametrize("batch", ["N", 1, 3, 4, 64])
@pytest.mark.parametrize("most", [2, 4096])
def test_batches_open_and_fixed(batch: int | str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "BATCH", most)
    values = OnnxTeacher(saved(doubled(batch))).ask(table())
    np.testing.assert_array_equal(values, 2 * np.array(NUMBERS))


def test_labels_are_passed_over_and_dicts_are_read_by_name() -> None:
    path = saved(zipmap({"classlabels_strings": ["yes", "no"]}))
    np.testing.assert_array_equal(OnnxTeacher(path).ask(table()), np.array(NUMBERS)[:, ::-1])


def test_one_column_is_an_answer() -> None:
    asked = images((1,))
    values = OnnxTeacher(saved(passing(TensorProto.UINT8, ["N", 1], ["N", 1]))).ask(asked)
    assert values.tolist() == [[0], [1], [2], [3], [4]]


def test_about_no_rows_no_model_is_run() -> None:
    asked = table()
    assert OnnxTeacher(Path("nowhere.onnx")).ask(replace(asked, x=asked.x[:0])).shape == (0, 2)


def test_images_are_answered() -> None:
    values = OnnxTeacher(saved(passing(FLOAT, ["N", 1, 1, 2]))).ask(images((1, 2)))
    np.testing.assert_allclose(values, np.arange(10).reshape(5, 2) / 255, rtol=1e-6)


def test_the_digest_is_of_the_file() -> None:
    path = saved(doubled("N"))
    assert OnnxTeacher(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_bits_come_out_each_time() -> None:
    weights = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    made = model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (FLOAT, ["N", 64])}, ["y"], {"w": weights}
    )
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(500, 64)).astype(np.float32))
    asked, path = Asked(None, x, (), CLASSES), saved(made)
    np.testing.assert_array_equal(OnnxTeacher(path).ask(asked), OnnxTeacher(path).ask(asked))


def external(tensor_: TensorProto) -> TensorProto:
    tensor_.ClearField("raw_data")
    tensor_.data_location = TensorProto.EXTERNAL
    tensor_.external_data.add(key="location", value="/etc/passwd")
    return tensor_


def stored(name: str) -> TensorProto:
    return numpy_helper.from_array(np.ones((4, 2), np.float32), name)


def with_external_weight() -> ModelProto:
    made = model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": (FLOAT, ["N", 2])}, ["y"])
    made.graph.initializer.append(external(stored("w")))
    return made


def with_external_constant() -> ModelProto:
    nodes = [
        helper.make_node("Constant", [], ["w"], value=external(stored("w"))),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    return model(nodes, {"x": (FLOAT, ["N", 2])}, ["y"])


def with_external_branch() -> ModelProto:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["z"])],
        "branch",
        [],
        [tensor("z", FLOAT, [4, 2])],
        [external(stored("w"))],
    )
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)]
    return model(nodes, {"x": (FLOAT, ["N", 2])}, ["y"], {"c": True})


def with_external_function() -> ModelProto:
    made = doubled("N")
    constant = helper.make_node("Constant", [], ["w"], value=external(stored("w")))
    opsets = [helper.make_opsetid("", 17)]
    made.functions.append(helper.make_function("own", "F", [], ["w"], [constant], opsets))
    return made


@pytest.mark.parametrize(
    "made", [with_external_weight, with_external_constant, with_external_branch, with_external_function]
)
def test_data_in_other_files_are_refused(made: Callable[[], ModelProto]) -> None:
    assert failure(saved(made())).message == "net.onnx keeps 'w' in another file, which kd does not open"


def test_a_file_that_is_cut_short_is_refused() -> None:
    weights = {"w": np.ones((50, 2), np.float32)}
    made = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (FLOAT, ["N", 50])}, ["y"], weights)
    content = made.SerializeToString()
    end = content.index(made.graph.SerializeToString()) + made.graph.ByteSize()
    for size in range(end):
        Path("net.onnx").write_bytes(content[:size])
        assert failure(Path("net.onnx")).message == "net.onnx is truncated, or not an ONNX model"


@pytest.mark.parametrize(
    "content", [b"this is text\n" * 10, b"ORTM" * 10, b"\x80\x04K\x01.", b"PK\x03\x04" * 9]
)
def test_other_files_are_refused(content: bytes) -> None:
    Path("net.onnx").write_bytes(content)
    assert failure(Path("net.onnx")).message == "net.onnx is truncated, or not an ONNX model"


def test_no_damaged_byte_leads_to_anything_but_an_answer_or_an_error() -> None:
    content = saved(doubled("N")).read_bytes()
    for k in range(len(content)):
        Path("net.onnx").write_bytes(content[:k] + bytes([content[k] ^ 0x55]) + content[k + 1 :])
        try:
            OnnxTeacher(Path("net.onnx")).ask(table())
        except KdError:
            continue


def test_texts_that_are_not_utf_8_are_refused() -> None:
    path = saved(zipmap({"classlabels_strings": ["yes", "no"]}))
    path.write_bytes(path.read_bytes().replace(b"label", b"l\xffbel"))
    assert failure(path).message == "net.onnx is truncated, or not an ONNX model"


def test_what_the_runtime_does_not_know_is_told_in_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    made = doubled("N")
    made.opset_import[0].version = 9999
    assert "Opset 9999 is under development" in failure(saved(made)).message
    made = doubled("N")
    made.ir_version = 9999
    assert "net.onnx: Unsupported model IR version: 9999" in failure(saved(made)).message
    made = doubled("N")
    made.graph.node[0].op_type = "Nowhere"
    assert "Nowhere" in failure(saved(made)).message
    assert capfd.readouterr() == ("", "")


def test_what_fails_when_it_runs_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    nodes = [helper.make_node("Gather", ["x", "s"], ["y"])]
    made = model(nodes, {"x": (FLOAT, ["N", 2])}, ["y"], {"s": np.array([70])})
    message = failure(saved(made)).message
    assert message.startswith("net.onnx fails: ")
    assert "indices element out of data bounds" in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("axes", [[0], [0, 1]])
def test_an_answer_has_a_row_for_each_example(axes: list[int]) -> None:
    nodes = [helper.make_node("ReduceSum", ["x", "a"], ["y"], keepdims=0)]
    made = model(nodes, {"x": (FLOAT, ["N", 2])}, [tensor("y", FLOAT, None)], {"a": np.array(axes)})
    assert "a row for each example" in failure(saved(made)).message


def test_a_file_that_is_not_there_is_told_with_the_nearest() -> None:
    saved(doubled("N"), "model.onnx")
    problem = failure(Path("modle.onnx"))
    assert problem.message == "cannot read modle.onnx: No such file or directory; did you mean model.onnx?"
    Path("folder.onnx").mkdir()
    assert "Is a directory" in failure(Path("folder.onnx")).message


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_package_that_is_not_installed_is_told(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(doubled("N"))
    monkeypatch.setitem(sys.modules, package, None)
    assert failure(path).hint == "pip install 'kdcli[onnx]'"


def test_labels_alone_are_refused() -> None:
    nodes = [helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0)]
    made = model(nodes, {"x": (FLOAT, ["N", 2])}, [tensor("label", INT64, ["N"])])
    assert (
        "no output that may be probabilities of 2 classes: label tensor(int64)"
        in failure(saved(made)).message
    )
