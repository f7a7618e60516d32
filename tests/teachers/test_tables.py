import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcli.errors import KdError
from kdcli.teachers.tables import index_columns, table_answers

P = {"p_no": [0.5, 0.25, 1.0], "p_yes": [0.5, 0.75, 0.0]}
BOTH = np.array([*P.values()]).T


def answers(columns: dict[str, list[object]], logits: bool = False, **options: object) -> list[list[float]]:
    frame = pl.DataFrame(columns, strict=False)
    values = table_answers(
        frame, ("no", "yes"), "it", logits=logits, place=lambda row: f"row {row}", **options
    )
    listed: list[list[float]] = values.tolist()
    return listed


@given(st.permutations([*P, "Index", "label"]))
def test_columns_that_have_no_answers_are_passed_over(order: list[str]) -> None:
    columns = {**P, "Index": [4, 9, 2], "label": ["yes", None, "no"]}
    assert answers({name: columns[name] for name in order}) == BOTH.tolist()


def test_the_column_of_the_first_class_is_turned_into_both() -> None:
    assert answers({"p_no": P["p_no"]}) == BOTH.tolist()
    assert answers({"p_no": [50, 25, 100]}) == (100 * BOTH).tolist()
    assert answers({"logit_no": [2, -1, 0]}, logits=True) == [[2, 0], [-1, 0], [0, 0]]
    with pytest.raises(KdError, match="row 1: 2 is neither"):
        answers({"p_no": [1, 2, 1]})


def test_the_note_on_columns_is_handed_on() -> None:
    notes: list[str] = []
    answers({"row": [1, 2, 3], "A": P["p_no"], "B": P["p_yes"]}, note=notes.append)
    assert notes == ["its columns A and B are read as the classes no and yes, in this order"]
    with pytest.raises(KdError, match="its columns are none, apart from row and said,"):
        answers({"row": [1, 2, 3], "said": ["yes", "no", "yes"]})


def test_rows_are_taken_as_asked_for_and_named_as_they_stand() -> None:
    assert answers(P, rows=np.array([2, 0])) == BOTH[[2, 0]].tolist()
    with pytest.raises(KdError, match="row 2: column 'p_yes' has 'high'"):
        answers({"p_yes": ["0.5", "?", "high"]}, rows=np.array([0, 2]))


def test_a_single_column_is_no_index() -> None:
    counts = pl.DataFrame({"x": [7, 8, 9], "row": [3, 1, 2], "p": [1, 2, 4]})
    assert index_columns(counts) == ["x", "row"]
    assert index_columns(counts.select("x")) == []
