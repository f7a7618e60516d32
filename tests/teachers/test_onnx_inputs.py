from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from onnx import helper
from teachers.asking import CLASSES, images, table
from teachers.graphs import FLOAT, INT64, STRING, model, saved, tensor

from kdcli.errors import KdError
from kdcli.teachers.asked import Asked
from kdcli.teachers.onnx import OnnxTeacher
from kdcli.teachers.onnx_inputs import Scaling, model_inputs

Node = tuple[str, str, list[int | str | None]]


def given(nodes: list[Node], asked: Asked, scaling: Scaling = "unit") -> dict[str, np.ndarray]:
    named = [SimpleNamespace(name=name, type=f"tensor({kind})", shape=shape) for name, kind, shape in nodes]
    return model_inputs(named, asked, scaling, "net.onnx")


def refusal(nodes: list[Node], asked: Asked) -> str:
    with pytest.raises(KdError) as refused:
        given(nodes, asked)
    assert refused.value.hint
    return refused.value.message


def rows(**columns: Any) -> Asked:
    """A table of these columns, which is encoded as three features."""
    frame = pl.DataFrame(columns)
    return Asked(frame, torch.ones(frame.height, 3), ("a", "b", "c"), CLASSES)


def test_a_graph_gets_columns_by_their_names_and_types() -> None:
    nodes = [
        helper.make_node("Equal", ["my_colour", "red"], ["is"]),
        helper.make_node("Cast", ["is"], ["red_one"], to=FLOAT),
        helper.make_node("Cast", ["age"], ["float_age"], to=FLOAT),
        helper.make_node("Concat", ["float_age", "red_one"], ["y"], axis=1),
    ]
    inputs = {"age": (INT64, ["N", 1]), "my_colour": (STRING, ["N", 1])}
    path = saved(model(nodes, inputs, [tensor("y", FLOAT, ["N", 2])], {"red": ["red"]}, opset=19))
    asked = table()
    assert asked.frame is not None
    full = Asked(asked.frame.with_columns(pl.col("age").fill_null(7)), asked.x, asked.feature_names, CLASSES)
    np.testing.assert_array_equal(OnnxTeacher(path).ask(full), [[0, 1], [1, 0], [2, 0], [7, 0]])


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("float", [1.0, None, 0.5], np.array([1, np.nan, 0.5], np.float32)),
        ("double", [0.1, None, 1e300], np.array([0.1, np.nan, 1e300])),
        ("double", [1, 2, 3], np.array([1.0, 2, 3])),
        ("float", [True, False, None], np.array([1, 0, np.nan], np.float32)),
        ("int64", [1, 2, 3], np.array([1, 2, 3])),
        ("int32", [1.0, 2.0, -3.0], np.array([1, 2, -3], np.int32)),
        ("bool", [True, False, True], np.array([True, False, True])),
        ("string", ["a", None, ""], np.array(["a", "", ""], object)),
        ("string", [1, None, 3], np.array(["1", "", "3"], object)),
    ],
)
def test_values_become_what_the_graph_says(kind: str, values: list[Any], expected: np.ndarray) -> None:
    arrays = given([("v", kind, ["N"]), ("w", kind, ["N", 1])], rows(w=values, v=values))
    np.testing.assert_array_equal(arrays["v"], expected, strict=True)
    np.testing.assert_array_equal(arrays["w"], expected[:, None], strict=True)


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("int64", [1, None, 3], "the column 'v' has no value in row 2"),
        ("int64", [1.0, 2.5, 3.0], "the column 'v' has 2.5"),
        ("int32", [1, 2**31, 3], "the column 'v' has 2.14748e+09"),
        ("int64", [1.0, float("nan"), 3.0], "the column 'v' has nan"),
        ("float", [1.0, 1e300, 3.0], "the column 'v' has 1e+300"),
        ("float", ["a", "b", "c"], "the column 'v' has text"),
        ("string", [0.5, 1.0, 2.0], "the column 'v' has numbers"),
        ("complex64", [0.5, 1.0, 2.0], "is of type tensor(complex64)"),
    ],
)
def test_values_that_a_type_does_not_hold_are_refused(kind: str, values: list[Any], said: str) -> None:
    assert said in refusal([("v", kind, ["N", 1]), ("w", "float", ["N", 1])], rows(v=values, w=[1, 2, 3]))


def test_names_match_exactly_before_they_match_alike() -> None:
    nodes: list[Node] = [("a_b", "float", ["N"]), ("a b", "float", ["N"]), ("c_d", "float", ["N"])]
    arrays = given(nodes, rows(**{"a b": [1], "a_b": [2], "c.d": [3]}))
    assert {name: values.tolist() for name, values in arrays.items()} == {"a_b": [2], "a b": [1], "c_d": [3]}


def test_inputs_without_a_column_are_refused() -> None:
    asked = rows(age=[1], **{"a b": [1], "a.b": [2]})
    nodes: list[Node] = [("age", "float", ["N", 1])]
    said = "has an input 'aged', but the table has no such column; did you mean age?"
    assert said in refusal([*nodes, ("aged", "float", ["N", 1])], asked)
    assert "has an input 'a_b'" in refusal([*nodes, ("a_b", "float", ["N", 1])], asked)
    assert "has the shape (N, 2)" in refusal([("a b", "float", [None, 2]), *nodes], asked)
    assert "has no input" in refusal([], asked)


def test_one_input_of_one_column_is_that_column() -> None:
    arrays = given([("age", "float", ["N", 1])], rows(age=[1, 2], size=[3, 4]))
    assert arrays["age"].tolist() == [[1], [2]]


def test_one_matrix_is_told_by_its_width() -> None:
    asked = rows(size=[2, 4], colour=["a", "b"], age=[0.5, None])
    encoded = given([("x", "float", ["N", 3])], asked)["x"]
    np.testing.assert_array_equal(encoded, np.ones((2, 3), np.float32), strict=True)
    raw = given([("x", "double", ["N", 2])], asked)["x"]
    np.testing.assert_array_equal(raw, np.array([[2, 0.5], [4, np.nan]]), strict=True)


@pytest.mark.parametrize("width", [3, "d", None])
def test_a_matrix_may_be_either_if_both_are_the_same(width: int | str | None) -> None:
    frame = pl.DataFrame({"a": [0.1, 0.2], "b": [1.0, 2.0], "c": [3.0, 4.0]})
    asked = Asked(frame, torch.tensor(frame.to_numpy(), dtype=torch.float32), ("a", "b", "c"), CLASSES)
    x = given([("x", "double", ["N", width])], asked)["x"]
    np.testing.assert_array_equal(x, frame.to_numpy(), strict=True)


@pytest.mark.parametrize(
    ("node", "asked", "said"),
    [
        (("x", "float", ["N", 5]), rows(a=[1], b=[2]), "takes 5 columns, but the data have 3 encoded"),
        (("x", "float", ["N", 3]), rows(a=[1], b=[2], c=[3]), "takes 3 columns, but the data have 3 encoded"),
        (("x", "float", ["N", None]), rows(a=[1], b=[2]), "takes any number of columns"),
        (("x", "float", ["N", None]), rows(a=["red"]), "takes any number of columns"),
        (("x", "int64", ["N", 3]), rows(a=[1]), "is of type tensor(int64) and shape (N, 3)"),
        (("x", "float", ["N", 3, 1]), rows(a=[1]), "is of type tensor(float) and shape (N, 3, 1)"),
        (("x", "float", ["N"]), rows(a=[1]), "is of type tensor(float) and shape (N)"),
    ],
)
def test_a_matrix_that_fits_neither_or_both_is_refused(node: Node, asked: Asked, said: str) -> None:
    assert said in refusal([node], asked)


@pytest.mark.parametrize(
    ("shape", "wanted", "axes"),
    [
        ((3, 4, 5), ["N", 3, 4, 5], (0, 1, 2, 3)),
        ((3, 4, 5), ["N", 4, 5, 3], (0, 2, 3, 1)),
        ((3, 4, 5), [1, 3, None, None], (0, 1, 2, 3)),
        ((3, 4, 5), ["N", "H", "W", 3], (0, 2, 3, 1)),
    ],
)
def test_images_of_colours_in_either_layout(
    shape: tuple[int, ...], wanted: list[int | str | None], axes: tuple[int, ...]
) -> None:
    asked = images(shape)
    pixels = given([("x", "uint8", wanted)], asked)["x"]
    np.testing.assert_array_equal(pixels, asked.x.permute(axes).numpy(), strict=True)


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5)])
@pytest.mark.parametrize("wanted", [[4, 5], [None, None], [1, 4, 5], [4, 5, 1], [20], [None]])
def test_grey_images(shape: tuple[int, ...], wanted: list[int | str | None]) -> None:
    asked = images(shape)
    pixels = given([("x", "uint8", ["N", *wanted])], asked)["x"]
    assert pixels.ndim == 1 + len(wanted)
    np.testing.assert_array_equal(pixels.ravel(), asked.x.numpy().ravel(), strict=True)


@pytest.mark.parametrize("kind", ["float", "double"])
def test_pixels_become_floats_from_0_to_1_or_stay_raw(kind: str) -> None:
    asked = images((4, 5))
    node: Node = ("x", kind, ["N", 4, 5])
    dtype = {"float": np.float32, "double": np.float64}[kind]
    raw = asked.x.numpy().astype(dtype)
    np.testing.assert_array_equal(given([node], asked, "raw")["x"], raw, strict=True)
    np.testing.assert_allclose(given([node], asked)["x"], raw / 255, rtol=1e-6, strict=True)


def test_floats_without_a_table_are_not_scaled() -> None:
    asked = Asked(None, torch.full((5, 3), 0.5), (), CLASSES)
    assert (given([("x", "float", ["N", 3])], asked)["x"] == 0.5).all()
    assert "the images are float32" in refusal([("x", "uint8", ["N", 3])], asked)


@pytest.mark.parametrize(
    ("nodes", "shape", "said"),
    [
        (
            [("x", "float", ["N", 1, 28, 28])],
            (8, 8),
            "(8, 8) fit the input 'x' of net.onnx, (N, 1, 28, 28), in no",
        ),
        ([("x", "float", ["N", 8, 8])], (3, 8, 8), "in no way"),
        ([("x", "float", ["N", 1, 8, 8, 1])], (8, 8), "in no way"),
        ([("x", "float", ["N", 3, 3, 3])], (3, 3, 3), "in more than one way"),
        ([("x", "float", ["N", None, None, None])], (8, 8), "in more than one way"),
        ([("x", "int64", ["N", 8, 8])], (8, 8), "is of type tensor(int64)"),
        (
            [("x", "float", ["N", 8]), ("z", "float", ["N", 8])],
            (8, 8),
            "has 2 inputs: x tensor(float) (N, 8), z",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(nodes: list[Node], shape: tuple[int, ...], said: str) -> None:
    assert said in refusal(nodes, images(shape))
