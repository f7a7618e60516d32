from pathlib import Path

import polars as pl
import pytest
import torch

from kdcli.data.tables.applying import applied
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
    with pytest.raises(KdError, match="has no column 'plan'; did you mean plans"):
        applied(Table(Path("pool.csv"), frame, (), str), ENCODINGS)


@pytest.mark.parametrize(
    ("column", "value"), [("age", "old"), ("since", "01.02.2020"), ("age", "1,5"), ("since", "2020")]
)
def test_a_value_of_another_kind_is_named_with_its_line(column: str, value: str) -> None:
    values = [*ROWS[column][:2], value]
    with pytest.raises(KdError, match=rf"pool.csv, line 4: column '{column}' has '{value}'"):
        applied(table(**{column: values}), ENCODINGS)
