from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kdcli.errors import KdError
from kdcli.teachers.onnx_outputs import as_rows, probability_output

Output = tuple[str, str, list[int | str | None]]


def selected(outputs: list[Output]) -> str:
    nodes = [SimpleNamespace(name=name, type=kind, shape=shape) for name, kind, shape in outputs]
    name: str = probability_output(nodes, 3, "it").name
    return name


@pytest.mark.parametrize(
    "outputs",
    [
        [("y", "tensor(float)", ["N", 3])],
        [("y", "tensor(double)", [None, None])],
        [("y", "tensor(float16)", [1, 1])],
        [("y", "tensor(float)", ["N"])],
        [("y", "tensor(float)", [])],
        [("label", "tensor(int64)", ["N"]), ("y", "tensor(float)", ["N", 3])],
        [("label", "tensor(string)", ["N"]), ("y", "seq(map(string,tensor(float)))", [])],
        [("hidden", "tensor(float)", ["N", 64]), ("y", "tensor(float)", ["N", 3])],
        [("features", "tensor(float)", ["N", 3, 8, 8]), ("y", "tensor(float)", ["N", 3])],
    ],
)
def test_the_only_output_that_fits_is_taken(outputs: list[Output]) -> None:
    assert selected(outputs) == "y"


def test_of_several_the_one_of_probabilities_is_taken() -> None:
    kinds = ["scores", "Probabilities"]
    assert selected([(name, "tensor(float)", ["N", 3]) for name in kinds]) == "Probabilities"


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (["scores", "logits"], "several outputs that may be probabilities of 3 classes: scores .*, logits"),
        (["prob_a", "prob_b", "c"], "several outputs .*: prob_a .*, prob_b .*, c"),
        ([], "no output"),
    ],
)
def test_others_are_refused(outputs: list[str], said: str) -> None:
    with pytest.raises(KdError, match=said):
        selected([(name, "tensor(float)", ["N", 3]) for name in outputs])


@pytest.mark.parametrize(
    ("keys", "classes", "values"),
    [
        (["b", "a"], ("a", "b"), [2, 1]),
        ([2, 1], ("1", "2"), [2, 1]),
        ([1, 0], ("0", "1"), [2, 1]),
        ([0, 1], ("no", "yes"), [1, 2]),
        ([1, 0], ("no", "yes"), [2, 1]),
        ([0, 1], ("1", "0"), [2, 1]),
    ],
)
def test_dicts_are_read_by_class_or_by_position(
    keys: list[Any], classes: tuple[str, ...], values: list[int]
) -> None:
    rows = as_rows([dict(zip(keys, [1.0, 2.0], strict=True))] * 3, classes, "it")
    np.testing.assert_array_equal(rows, [values] * 3)


@pytest.mark.parametrize("keys", [["a", "c"], [1, 2], [0, 1, 2], ["0", "1"], [0]])
def test_dicts_of_other_classes_are_refused(keys: list[Any]) -> None:
    with pytest.raises(KdError, match="but the data have a, b"):
        as_rows([dict.fromkeys(keys, 1.0)], ("a", "b"), "it")
