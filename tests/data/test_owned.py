import hashlib
from pathlib import Path

import pytest
import torch
from data.made import written

from kdcli.data.owned import MOST_CLASSES, Owned, called, classes_of, digest_of, pooled
from kdcli.data.table import Tabular
from kdcli.errors import KdError, UsageError


@pytest.mark.parametrize(("rows", "draws"), [(1, 10), (5000, 10), (5001, 1), (10**7, 1)])
def test_there_are_ten_draws_up_to_5000_rows_unless_told_otherwise(rows: int, draws: int) -> None:
    assert Owned().resolved(rows).draws == draws
    assert Owned(draws=3).resolved(rows).draws == 3
    assert Owned().resolved(rows, ["train", "test"]).draws == draws
    assert Owned().resolved(rows, ["train", "val", "test"]).draws == 1


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/data/my.table.csv", "my.table"),
        ("t.csv.gz", "t"),
        ("a/folder", "folder"),
        ("a/b.npz", "b"),
        ("a/.csv", ".csv"),
    ],
)
def test_data_are_called_after_their_file(file: str, name: str) -> None:
    assert called(Tabular(file=file)) == name


def test_a_digest_tells_contents_and_their_order_apart_but_not_names() -> None:
    one, two, same = (Path(written(name, content)) for name, content in (("a", "x"), ("b", "y"), ("c", "x")))
    digests = [digest_of(files, "") for files in ([one], [two], [one, two], [two, one], [one, one])]
    assert len({*digests}) == 5
    assert digest_of([same], "") == digests[0]
    inner = hashlib.sha256(b"x").hexdigest()
    assert digests[0] == hashlib.sha256(inner.encode()).hexdigest()


def test_files_that_are_not_what_was_asked_for_or_not_there_are_refused() -> None:
    path = Path(written("a", "x"))
    assert digest_of([path], digest_of([path], "")) == digest_of([path], "")
    with pytest.raises(KdError, match="SHA-256 differs"):
        digest_of([path], "0" * 64)
    with pytest.raises(KdError, match="cannot read nothing: No such file"):
        digest_of([Path("nothing")], "")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["1.5", "1.25", "2"], ("1.25", "1.5", "2")),
        (["10", "9", "x"], ("10", "9", "x")),
    ],
)
def test_classes_are_sorted_numbers_by_their_size(labels: list[str], classes: tuple[str, ...]) -> None:
    assert classes_of(labels, "y") == classes


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "y has no value"),
        (["a", "a"], "y has only 'a'"),
        (map(str, range(MOST_CLASSES + 1)), r"y has 101 different values \('0', '1', '10', '100', '11', …\)"),
    ],
)
def test_too_few_and_too_many_classes_are_refused(labels: list[str], words: str) -> None:
    with pytest.raises(KdError, match=words):
        classes_of(labels, "y")
    assert len(classes_of(map(str, range(MOST_CLASSES)), "y")) == MOST_CLASSES


def test_parts_that_are_named_stay_and_the_rest_is_split() -> None:
    labels = ["b", "a"] * 30
    parts = ["rows"] * 40 + ["val"] * 8 + ["test"] * 12
    x = torch.arange(60.0).view(60, 1)
    pool, classes, drawing = pooled(Owned(draws=1), x, labels, parts, "y")
    assert (classes, drawing) == (("a", "b"), "test kept")
    assert pool.y.tolist() == [1, 0] * 30
    assert pool.index["test"].tolist() == [list(range(48, 60))]
    assert pool.index["val"].tolist() == [list(range(40, 48))]
    assert [sorted(rows) for rows in pool.index["train"].tolist()] == [list(range(40))]
    with pytest.raises(UsageError, match="--draws 2: validation and test rows are given"):
        pooled(Owned(draws=2), x, labels, parts, "y")
    pool, _, drawing = pooled(Owned(draws=2), torch.zeros(60, 1), labels, ["rows"] * 60, "y")
    assert (drawing, pool.index["test"].shape) == ("split", (2, 12))
    assert pool.index["val"].shape == (2, 10)
