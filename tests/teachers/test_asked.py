from typing import Any

import numpy as np
import pytest
from teachers.asking import table

from kdcli.errors import KdError
from kdcli.teachers.asked import checked


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([[0, 1]] * 4, [[0, 1]] * 4),
        (np.array([0.5, 1, 0, 1], np.float32), [0.5, 1, 0, 1]),
        ([[0.5], [1], [0], [1]], [0.5, 1, 0, 1]),
        (np.array([0.5, 1, 0, 1], object), [0.5, 1, 0, 1]),
        ([True, False, True, False], [1, 0, 1, 0]),
    ],
    ids=["lists", "one column", "a column of a matrix", "objects", "truths"],
)
def test_numbers_of_every_kind_become_float64(answer: Any, expected: Any) -> None:
    values = checked(answer, table(), "it")
    np.testing.assert_array_equal(values, np.array(expected, np.float64), strict=True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[0, 1]] * 3, r"shape \(3, 2\) when asked about 4 rows and 2 classes"),
        ([[0, 0, 1]] * 4, r"shape \(4, 3\)"),
        ([[[0, 1]]] * 4, r"shape \(4, 1, 2\)"),
        (0.5, r"shape \(\)"),
        (["yes"] * 4, "other things than numbers"),
        ([["0.2", "0.8"]] * 4, "other things than numbers"),
        (np.array(["1", 0, 1, 0], object), "other things than numbers"),
        ([[0, 1], [1]] * 2, "other things than numbers"),
        ({"no": [1] * 4}, "other things than numbers"),
        (np.array([1j] * 4), "other things than numbers"),
        ([[0, 1], [1, float("nan")]] * 2, "NaN in row 2$"),
        ([None] * 4, "NaN in row 1$"),
    ],
)
def test_other_answers_are_refused(answer: Any, said: str) -> None:
    with pytest.raises(KdError, match=f"^it answers (with )?(the )?{said}") as refused:
        checked(answer, table(), "it")
    assert refused.value.hint
