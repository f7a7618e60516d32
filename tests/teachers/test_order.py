import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdcli.errors import KdError
from kdcli.teachers.order import caution, check_order, is_certain

SEEDS = st.integers(0, 10**6)


def names(n_classes: int) -> list[str]:
    return [f"c{k}" for k in range(n_classes)]


def labels(n: int, n_classes: int, seed: int) -> tuple[Tensor, torch.Generator]:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(n_classes, (n,), generator=random), random


def teacher(y: Tensor, n_classes: int, right: float, random: torch.Generator) -> Tensor:
    """Answers that name the label in this share of rows, and any class in the others."""
    p = torch.rand(len(y), n_classes, generator=random)
    p[torch.arange(len(y)), y] += (torch.rand(len(y), generator=random) < right).float()
    return p / p.sum(1, keepdim=True)


@settings(deadline=None)
@given(st.integers(2, 20), st.integers(3, 12), SEEDS)
def test_few_answers_at_random_give_no_alarm(n: int, n_classes: int, seed: int) -> None:
    y, random = labels(n, n_classes, seed)
    check_order(teacher(y, n_classes, 0, random), y, names(n_classes), "t")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n_classes", [10, 100])
def test_the_best_of_many_orders_is_not_judged_by_the_rows_it_was_chosen_by(
    n_classes: int, seed: int
) -> None:
    y, random = labels(300, n_classes, seed)
    check_order(teacher(y, n_classes, 0, random), y, names(n_classes), "t")


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(2, 12), SEEDS)
def test_a_good_teacher_gives_no_alarm_in_whatever_order_its_rows_are(
    n: int, n_classes: int, seed: int
) -> None:
    y, random = labels(n, n_classes, seed)
    for ordered in (y, y.sort().values, torch.arange(n) % n_classes):
        check_order(teacher(ordered, n_classes, 0.7, random), ordered, names(n_classes), "t")


@settings(deadline=None)
@given(st.integers(3, 20), SEEDS)
def test_classes_in_another_order_are_recognised(n_classes: int, seed: int) -> None:
    y, random = labels(40 * n_classes, n_classes, seed)
    p = teacher(y, n_classes, 0.8, random)
    with pytest.raises(KdError, match=r"class 'c0' looks like 'c\d+', 'c1' looks like 'c0'") as problem:
        check_order(p.roll(1, 1), y, names(n_classes), "t", shifted=False)
    assert "--trust-order" in str(problem.value.hint)


def test_two_classes_in_the_place_of_each_other_are_named_with_both_accuracies() -> None:
    y = torch.arange(100) // 2 % 2
    p = torch.eye(2)[1 - y]
    p[:7] = p[:7].flip(1)
    with pytest.raises(KdError) as problem:
        check_order(p, y, ("no", "yes"), "t.csv", shifted=False)
    assert problem.value.message == (
        "t.csv: class 'no' looks like 'yes' and 'yes' looks like 'no'; its accuracy is 7.0 % as it is, "
        "and would be 93.0 % if corrected"
    )
    assert problem.value.hint == "correct the order of the classes, or accept it with --trust-order"


def test_classes_that_stand_right_are_not_named() -> None:
    y, random = labels(600, 5, 0)
    p = teacher(y, 5, 0.9, random)[:, [0, 1, 3, 2, 4]]
    with pytest.raises(KdError, match=r"^t: class 'c2' looks like 'c3' and 'c3' looks like 'c2'; its"):
        check_order(p, y, names(5), "t")


def test_classes_that_no_order_makes_right_are_not_named() -> None:
    y = torch.arange(90) % 2 * 2 + 1
    answers = (y - 1) // 2
    answers[:6] = 3
    with pytest.raises(KdError, match=r"^t: class 'c0' looks like 'c1' and 'c1' looks like 'c3'; its"):
        check_order(torch.eye(4)[answers], y, names(4), "t", shifted=False)


@pytest.mark.parametrize(
    ("by", "words"),
    [(1, "the row before"), (-1, "the row after"), (2, "two rows before"), (-2, "two rows after")],
)
def test_rows_that_are_shifted_are_recognised(by: int, words: str) -> None:
    y, random = labels(200, 3, 1)
    p = teacher(y, 3, 0.9, random).roll(by, 0)
    with pytest.raises(KdError, match=f"each answer looks like that of {words}; .*% as it is"):
        check_order(p, y, names(3), "t")
    check_order(p, y, names(3), "t", shifted=False)


def test_a_gain_of_less_than_ten_points_is_no_alarm() -> None:
    y = torch.arange(10_000) % 2
    p = torch.eye(2)[y].clone()
    p[:5400] = p[:5400].flip(1)  # right in 46 %, and in 54 % the other way round
    check_order(p, y, names(2), "t", shifted=False)
    p[5400:5600] = p[5400:5600].flip(1)
    with pytest.raises(KdError, match=r"44\.0 % as it is, and would be 56\.0 %"):
        check_order(p, y, names(2), "t", shifted=False)


def test_logits_of_excluded_classes_are_as_good_as_probabilities() -> None:
    y, _ = labels(100, 3, 2)
    check_order(torch.eye(3)[y].log(), y, names(3), "t")
    with pytest.raises(KdError, match="looks like"):
        check_order(torch.eye(3)[(y + 1) % 3].log(), y, names(3), "t")


def test_a_teacher_worse_than_the_most_frequent_class_is_cautioned_against() -> None:
    y = (torch.arange(200) % 5 == 0).long()
    p = torch.eye(2)[y].clone()
    assert caution(p, y) == ""
    p[:80] = p[:80].flip(1)
    assert caution(p, y) == (
        "the teacher is right in 60.0 % of examples, but always predicting the most frequent class would be "
        "in 80.0 %"
    )
    assert caution(p[:12], y[:12]) != ""
    assert caution(torch.eye(2)[torch.zeros(200, dtype=torch.int64)], y) == ""


def test_answers_that_are_labels_are_certain() -> None:
    p = torch.eye(3)[torch.tensor([[0, 2], [1, 1]])]
    assert is_certain(p.log())
    assert not is_certain(p)
    assert not is_certain(torch.tensor([[0.0, 1.0, 0.0], [0.1, 0.9, 0.0]]).log())
    assert not is_certain(torch.tensor([[0.0, -1000.0]]))


def test_what_may_be_chance_is_no_caution() -> None:
    y = torch.tensor([0, 0, 0, 1, 1])
    assert caution(torch.eye(2)[torch.tensor([1, 1, 0, 1, 0])], y) == ""
    assert caution(torch.zeros(0, 2), y[:0]) == ""
