from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdcli.data.dataset import Source
from kdcli.errors import KdError, UsageError
from kdcli.teachers.matching import by_id, by_position


def rows(ids: Sequence[str] | None = None, position: Sequence[int] = (0, 2, 3), in_source: int = 5) -> Source:
    return Source(
        frame=None,
        place=lambda row: f"data {row}",
        position=torch.tensor(position),
        in_all=in_source,
        values=None if ids is None else lambda column: ids,
    )


def matched(file: Sequence[str | None], data: Sequence[str] | None) -> list[int]:
    position = range(len(data or "xyz"))
    return by_id(file, rows(data, position), "id", "p.csv", lambda row: f"file {row}").tolist()


def test_rows_stand_as_in_the_source_or_as_the_examples() -> None:
    assert by_position(5, rows(), "p.csv").tolist() == [0, 2, 3]
    assert by_position(3, rows(), "p.csv").tolist() == [0, 1, 2]


@pytest.mark.parametrize("height", [2, 4, 6])
def test_other_numbers_of_rows_are_refused(height: int) -> None:
    with pytest.raises(
        KdError, match=rf"has {height} rows, but the data have 5, 3 of them examples"
    ) as problem:
        by_position(height, rows(), "p.csv")
    assert "--id COLUMN" in str(problem.value.hint)
    with pytest.raises(KdError, match=r"has 1 row, but the data have 3$"):
        by_position(1, rows(in_source=3), "p.csv")


@given(st.permutations(list("abcdefgh")), st.permutations(list("abcdef")))
def test_rows_are_found_by_their_ids_and_others_left_out(file: list[str], data: list[str]) -> None:
    assert [file[row] for row in matched(file, data)] == data


def test_ids_that_are_missing_are_counted_and_the_first_named_with_their_place() -> None:
    with pytest.raises(KdError) as problem:
        matched(["a"], ["a", "b", "c", "d", "e"])
    assert problem.value.message == (
        "p.csv lacks 4 examples: column 'id' has no 'b' (data 1), 'c' (data 2), 'd' (data 3) or others"
    )
    with pytest.raises(KdError, match=r"lacks 1 example: column 'id' has no 'b' \(data 1\)$"):
        matched(["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        (["a", "b", "a"], ["a", "b"], "'a' twice: file 0 and file 2"),
        (["a", "b"], ["a", "b", "b"], "'b' twice: data 1 and data 2"),
        (["a", None], ["a"], "file 1: column 'id' has no value"),
    ],
)
def test_ids_that_do_not_tell_rows_apart_are_refused(
    file: list[str | None], data: list[str], words: str
) -> None:
    with pytest.raises(KdError, match=words):
        matched(file, data)


def test_data_without_columns_have_no_ids() -> None:
    with pytest.raises(UsageError, match="--id: the data have no column 'id'"):
        matched(["a"], None)
