import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdcli.data.pool import SPLITS
from kdcli.data.tables.splitting import NAMES, by_column, by_group, check_classes, drawn, in_order
from kdcli.errors import KdError, UsageError

SHARES = (0.2, 0.25)
Y = torch.tensor([0] * 60 + [1] * 40)


def assert_each_row_once(index: dict[str, Tensor], n: int, draws: int) -> None:
    for draw in range(draws):
        rows = torch.cat([index[split][draw if len(index[split]) > 1 else 0] for split in SPLITS])
        assert sorted(rows.tolist()) == list(range(n))


def test_rows_are_split_class_by_class_in_every_draw() -> None:
    index = drawn(Y, {}, SHARES, 0, 3, "t")
    assert_each_row_once(index, 100, 3)
    for draw in range(3):
        counts = {split: Y[index[split][draw]].bincount().tolist() for split in SPLITS}
        assert counts == {"train": [36, 24], "val": [12, 8], "test": [12, 8]}
    assert not torch.equal(index["test"][0].sort().values, index["test"][1].sort().values)


def test_the_seed_the_draw_and_the_stream_decide() -> None:
    index = drawn(Y, {}, SHARES, 0, 3, "t")
    assert torch.equal(drawn(Y, {}, SHARES, 0, 1, "t")["train"], index["train"][:1])
    assert not torch.equal(drawn(Y, {}, SHARES, 1, 1, "t")["train"], index["train"][:1])
    assert not torch.equal(drawn(Y, {}, SHARES, 0, 1, "u")["train"], index["train"][:1])


def test_splits_that_are_given_stay_and_a_test_set_that_is_given_is_shared() -> None:
    test, val = torch.tensor([5, 99, 7]), torch.tensor([1, 98])
    index = drawn(Y, {"test": test}, SHARES, 0, 3, "t")
    assert index["test"].tolist() == [[5, 99, 7]]
    assert [len(index[split]) for split in SPLITS] == [3, 3, 1]
    assert len(index["val"][0]) == round(0.25 * 97)
    assert_each_row_once(index, 100, 3)
    index = drawn(Y, {"val": val}, SHARES, 0, 2, "t")
    assert index["val"].tolist() == [[1, 98], [1, 98]]
    assert index["test"].shape == (2, round(0.2 * 98))
    assert_each_row_once(index, 100, 2)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 30), min_size=60, max_size=120), st.integers(0, 3))
def test_a_group_is_in_one_split(groups: list[int], seed: int) -> None:
    of_row = torch.tensor([*groups, *range(31)])
    y = torch.arange(len(of_row)) % 2
    index = by_group(y, of_row, SHARES, seed, 2)
    for draw in range(2):
        parts = [{*of_row[index[split][draw]].tolist()} for split in SPLITS]
        assert sum(map(len, parts)) == len(set.union(*parts))
        rows = torch.cat([index[split][draw] for split in SPLITS]).tolist()
        assert len(rows) == len({*rows})


def test_groups_of_equal_size_are_split_by_the_shares_and_every_row_is_in_a_split() -> None:
    groups = torch.arange(400) // 2
    index = by_group(torch.arange(400) // 2 % 2, groups, SHARES, 0, 2)
    assert {split: rows.shape for split, rows in index.items()} == {
        "train": (2, 240),
        "val": (2, 80),
        "test": (2, 80),
    }
    assert_each_row_once(index, 400, 2)
    assert not torch.equal(index["test"][0], index["test"][1])


@pytest.mark.parametrize("share", [0.1, 0.3, 0.45])
def test_a_split_of_groups_has_its_share_of_each_class(share: float) -> None:
    random = torch.Generator().manual_seed(0)
    groups = torch.randint(300, (3000,), generator=random)
    y = (torch.rand(3000, generator=random) < 0.2).long()
    test = by_group(y, groups, (share, 0.25), 0, 1)["test"][0]
    for label in (0, 1):
        assert int((y[test] == label).sum()) == pytest.approx(share * int((y == label).sum()), rel=0.15)


def test_too_few_groups_or_rows_of_a_class_are_refused() -> None:
    with pytest.raises(KdError, match="cannot be split"):
        by_group(torch.tensor([0, 1, 0, 1]), torch.arange(4), SHARES, 0, 1)


def test_the_latest_rows_are_tested_on_and_those_before_validated_on() -> None:
    time = torch.tensor([5.0, 1, 4, 2, 3, 9, 8, 6, 7, 0])
    index = in_order(time, SHARES)
    assert {split: time[rows].tolist() for split, rows in index.items()} == {
        "train": [0, 1, 2, 3, 4, 5],
        "val": [6, 7],
        "test": [8, 9],
    }


def test_rows_of_one_time_keep_their_order() -> None:
    index = in_order(torch.zeros(10), SHARES)
    assert torch.cat([index[split] for split in SPLITS]).tolist() == list(range(10))


def test_a_column_names_the_split_of_each_row_and_the_others_are_trained_on() -> None:
    values = ["Train", "TEST", "valid", "tr", "holdout", "dev"]
    index = by_column(values, "part")
    assert {split: rows.tolist() for split, rows in index.items()} == {"val": [2, 5], "test": [1, 4]}
    assert drawn(torch.zeros(6).long(), index, SHARES, 0, 1, "t")["train"].tolist() == [[0, 3]]
    with pytest.raises(UsageError, match="--draws 2: validation and test rows are given"):
        drawn(torch.zeros(6).long(), index, SHARES, 0, 2, "t")


def test_without_validation_rows_in_the_column_they_are_drawn_from_the_training_rows() -> None:
    values = ["train"] * 80 + ["test"] * 20
    index = drawn(torch.arange(100) % 2, by_column(values, "part"), SHARES, 0, 2, "t")
    assert {split: rows.shape for split, rows in index.items()} == {
        "train": (2, 60),
        "val": (2, 20),
        "test": (1, 20),
    }
    assert index["test"].tolist() == [list(range(80, 100))]
    assert_each_row_once(index, 100, 2)


@pytest.mark.parametrize("name", [name for names in NAMES.values() for name in names])
def test_every_name_of_a_split_is_known(name: str) -> None:
    index = by_column([name.upper()], "part")
    expected = next(split for split, names in NAMES.items() if name in names)
    assert set(index) == {expected} - {"train"}


@pytest.mark.parametrize("odd", ["trian", "", None, "1"])
def test_other_names_of_splits_are_refused(odd: str) -> None:
    with pytest.raises(UsageError, match=f"--split: column 'part' has '{odd}'") as problem:
        by_column(["train", odd, "test"], "part")
    assert "val, valid, validation, dev" in str(problem.value.hint)


@pytest.mark.parametrize("split", SPLITS)
def test_a_class_that_a_split_lacks_is_refused_with_its_count(split: str) -> None:
    y = torch.tensor([0, 1, 0, 1, 0, 1, 0])
    whole = {"train": [[0, 1]], "val": [[2, 3]], "test": [[4, 5]]}
    check_classes(y, {name: torch.tensor(rows) for name, rows in whole.items()}, ("cat", "dog"))
    lacking = {**whole, split: [whole[split][0], [0, 6]]}
    with pytest.raises(KdError, match=f"class 'dog' has 3 rows, none in {split}"):
        check_classes(y, {name: torch.tensor(rows) for name, rows in lacking.items()}, ("cat", "dog"))
