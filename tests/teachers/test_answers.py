import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from kdcli.errors import KdError
from kdcli.teachers.answers import logits_from

TWO, THREE = ("no", "yes"), ("a", "b", "c")
RANDOM = np.random.default_rng(0)


def place(row: int) -> str:
    return f"row {row + 1}"


def read(answers: Any, classes: tuple[str, ...] = THREE, logits: bool = False) -> Tensor:
    return logits_from(np.asarray(answers), classes, "the file", logits=logits, place=place)


def many(n_classes: int, n: int = 50, alpha: float = 0.5) -> Any:
    return RANDOM.dirichlet([alpha] * n_classes, n)


@settings(deadline=None)
@given(
    arrays.arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(2, 5)), elements=st.floats(0.01, 1))
)
def test_probabilities_become_their_logarithms_normalised(weights: Any) -> None:
    p = weights / weights.sum(1, keepdims=True)
    p[0, 0] += 5e-4
    p[1] = np.eye(p.shape[1])[1]
    logits = read(p, tuple("abcde"[: p.shape[1]]))
    assert logits.dtype == torch.float64
    torch.testing.assert_close(
        logits.exp(), torch.from_numpy(p / p.sum(1, keepdims=True)), atol=1e-14, rtol=1e-13
    )
    assert logits[1].tolist() == [0 if k == 1 else -math.inf for k in range(p.shape[1])]
    assert float(logits.logsumexp(1).abs().max()) < 1e-14


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["float64", "float32", "float16"]))
def test_the_logits_of_a_row_have_the_same_bits_whatever_lies_beside_it_in_memory(
    seed: int, kind: str
) -> None:
    random = np.random.default_rng(seed)
    p = random.dirichlet([1] * 11, 37).astype(kind)
    classes = tuple("abcdefghijk")
    logits = read(p, classes)
    order = random.permutation(37)
    assert torch.equal(read(p[order], classes), logits[torch.from_numpy(order)])
    assert torch.equal(read(np.asfortranarray(p), classes), logits)
    assert torch.equal(read(p[:3], classes), logits[:3])
    assert torch.equal(read(p.astype(np.float64), classes), logits)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("decimals", [0, 1, 2, 3])
@pytest.mark.parametrize("whole", [1, 100])
def test_numbers_that_were_rounded_are_normalised(n_classes: int, decimals: int, whole: int) -> None:
    p = many(n_classes, alpha=10 / n_classes)
    rounded = np.round(100 * p, decimals) * whole / 100
    fits = np.abs(rounded.sum(1) / whole - 1) <= 0.1
    logits = read(rounded[fits], tuple(map(str, range(n_classes))))
    assert fits.sum() > 20
    assert float((logits.exp() - torch.from_numpy(p[fits])).abs().max()) < 0.12 * 10**-decimals + 1e-9


def test_sums_that_are_off_by_more_than_rounding_gives_are_refused() -> None:
    p = many(3)
    p[7, 1] += 2e-3
    with pytest.raises(KdError, match=r"row 8: .* and .* sum to 1\.002; so 1 row of 50"):
        read(p)


def test_one_column_is_that_of_the_second_class() -> None:
    p = np.array([0.0, 0.25, 1.0, 0.9])
    both = read(np.stack([1 - p, p], 1), TWO)
    assert torch.equal(read(p, TWO), both)
    assert torch.equal(read(p[:, None], TWO), both)
    torch.testing.assert_close(read(100 * p, TWO), both)
    assert torch.equal(read(np.float32([0, 0.25, 1 + 1e-7]), TWO), both[:3])
    odds = read([-2.0, 0.5, -math.inf], TWO, logits=True)
    assert odds.tolist() == [[0, -2], [0, 0.5], [0, -math.inf]]


def test_logits_stay_as_they_are() -> None:
    z = [[2.0, -math.inf, 0.1], [-1.0, 3.0, 5.0]]
    assert read(z, logits=True).tolist() == z
    assert read(np.float32(z), logits=True).tolist() == np.float32(z).tolist()
    assert read([[1, 2, 3], [3, 2, 1]], logits=True).tolist() == [[1, 2, 3], [3, 2, 1]]


@pytest.mark.parametrize("answers", [many(3), 100 * many(3), np.eye(3)[[0, 1]]])
def test_probabilities_are_no_logits(answers: Any) -> None:
    with pytest.raises(KdError, match="the file has probabilities in every row, not logits") as problem:
        read(answers, logits=True)
    assert problem.value.hint == "leave out --logits"


def test_a_column_from_0_to_1_is_no_column_of_log_odds() -> None:
    with pytest.raises(KdError, match="not logits"):
        read([0.1, 0.9, 0.4], TWO, logits=True)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([[1.5, -2.0, 0.1], [3, 1, 1]], r"row 1: 1\.5, -2 and 0\.1 sum to -0\.4; so 2 rows of 2"),
        ([[0.2, 0.2, 0.6], [20, 20, 60]], "row 2: 20, 20 and 60 sum to 100; so 1 row of 2"),
        ([[0.2, 0.2, 0.6], [0.5, -0.1, 0.6]], "row 2: 0.5, -0.1 and 0.6 sum to 1;"),
        ([[0.0, 0.0, 0.0], [0, 0, 1]], "row 1: 0, 0 and 0 sum to 0;"),
    ],
)
def test_unclear_rows_name_the_first_and_count_the_others(answers: Any, words: str) -> None:
    with pytest.raises(KdError, match=words) as problem:
        read(answers)
    assert "--logits" in str(problem.value.hint)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([0.5, -0.1, 0.3], "row 2: -0.1 is neither"),
        ([0.5, 101, 0.3], "row 2: 101 is neither"),
        ([1, 2, 1], "row 2: 2 is neither"),
    ],
)
def test_an_unclear_column_names_a_row(column: Any, words: str) -> None:
    with pytest.raises(KdError, match=words) as problem:
        read(column, TWO)
    assert "--logits" in str(problem.value.hint)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_counted_and_the_first_named(value: float) -> None:
    p = many(3)
    p[[4, 9], [1, 2]] = value
    with pytest.raises(KdError, match="2 rows with a value that is missing or not finite, first in row 5"):
        read(p)
    if value != -math.inf:
        with pytest.raises(KdError, match=r"2 rows .* first in row 5"):
            read(10 * p - 5, logits=True)


def test_a_row_without_a_possible_class_is_refused() -> None:
    with pytest.raises(KdError, match="row 2: -inf for all classes"):
        read([[1.0, 2.0, 5.0], [-math.inf] * 3], logits=True)


@pytest.mark.parametrize(
    ("answers", "logits"),
    [([[0.2, 0.2, 0.6]] * 4, False), ([[1, 2, 3], [2, 3, 4]], True), ([[0, 0, 1]] * 2, False)],
)
def test_a_teacher_that_says_the_same_of_every_row_is_refused(answers: Any, logits: bool) -> None:
    with pytest.raises(KdError, match="the file gives the same answer for every row"):
        read(answers, logits=logits)


def test_a_single_row_says_nothing_of_others() -> None:
    assert read([[0.2, 0.2, 0.6]]).shape == (1, 3)


@pytest.mark.parametrize(
    ("answers", "classes", "words"),
    [
        (many(4), THREE, r"shape \(50, 4\); 3 columns are needed"),
        (many(3), TWO, r"shape \(50, 3\); 1 or 2 columns are needed"),
        (many(3)[:, 0], THREE, r"shape \(50,\); 3 columns"),
        (np.zeros((5, 3, 1)), THREE, r"shape \(5, 3, 1\)"),
        (np.array(0.5), TWO, r"shape \(\)"),
        (np.array([["0.5", "0.5"]]), TWO, "type <U3"),
    ],
)
def test_other_shapes_and_types_are_refused(answers: Any, classes: tuple[str, ...], words: str) -> None:
    with pytest.raises(KdError, match=words):
        read(answers, classes)


def test_a_shape_that_is_refused_names_the_classes() -> None:
    with pytest.raises(KdError) as problem:
        read(many(3), TWO)
    assert problem.value.hint == "give one for each class, in the order no, yes, or only one, for 'yes'"
