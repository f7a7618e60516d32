from pathlib import Path

import polars as pl
import pytest
import torch

from kdcli.data.tables.applying import applied, unseen
from kdcli.data.tables.encoding import Encoded, encode
from kdcli.data.tables.reading import Table
from kdcli.errors import KdError

ENCODINGS = (
    Encoded("age", "number", 40.0, missing=True),
    Encoded("plan", "category", levels=("basic", "plus"), others=True),
    Encoded("since", "date", 19_000.0, format="%Y-%m-%d"),
    Encoded("active", "yes/no"),
)
ROWS = {
    "active": ["yes", "no", "yes"],
    "since": ["2020-01-01", None, "2021-05-06"],
    "plan": ["plus", "gold", None],
    "age": ["31", None, "40.5"],
    "more": ["1", "2", "3"],
}


def table(**changed: list[str | None]) -> Table:
    frame = pl.DataFrame({**ROWS, **changed})
    return Table(Path("pool.csv"), frame, (), lambda row: f"pool.csv, line {row + 2}")


def test_columns_go_by_name_in_any_order_and_others_are_passed_over() -> None:
    assert torch.equal(applied(table(), ENCODINGS), encode(table(), ENCODINGS))
    assert applied(table(), ENCODINGS).shape == (3, 2 + 3 + 3 + 1)


def test_a_column_that_is_missing_is_named_with_the_nearest() -> None:
    frame = table().frame.rename({"plan": "plans"})
    with pytest.raises(KdError, match=r"no column 'plan' in pool\.csv; did you mean plans"):
        applied(Table(Path("pool.csv"), frame, (), str), ENCODINGS)


def test_all_columns_that_are_missing_are_named() -> None:
    frame = table().frame.drop("plan", "age")
    with pytest.raises(KdError, match=r"^no columns 'age', 'plan' in pool.csv$"):
        applied(Table(Path("pool.csv"), frame, (), str), ENCODINGS)


def test_categories_that_no_feature_stands_for_are_counted() -> None:
    plan = Encoded("plan", "category", levels=("a", "b"))
    rows = Table(Path("pool.csv"), pl.DataFrame({"plan": ["a", "c", None, "d", "b"]}), (), str)
    assert unseen(rows, [plan]) == {"plan": (2, "c")}
    assert unseen(rows, [Encoded("plan", "category", levels=("a",), others=True)]) == {}


@pytest.mark.parametrize(
    ("column", "value"), [("age", "old"), ("since", "01.02.2020"), ("age", "1,5"), ("since", "2020")]
)
def test_a_value_of_another_kind_is_named_with_its_line(column: str, value: str) -> None:
    values = [*ROWS[column][:2], value]
    with pytest.raises(KdError, match=rf"pool.csv, line 4: column '{column}' has '{value}'"):
        applied(table(**{column: values}), ENCODINGS)
