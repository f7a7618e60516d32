import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from kdcli.data.tables.columns import Wishes, recognised
from kdcli.data.tables.encoding import LEVELS, RARE, Encoded, as_numbers, encode, fitted
from kdcli.data.tables.reading import Table
from kdcli.errors import KdError


def table_of(values: list[Any]) -> Table:
    return Table(Path("t.csv"), pl.DataFrame({"c": values}), (), lambda row: f"t.csv, line {row + 2}")


def fit(training: list[Any], **wishes: tuple[str, ...]) -> Encoded:
    table = table_of(training)
    (column,) = recognised(table, (), Wishes(**wishes))
    return fitted(column, table.frame["c"])


def encoded(training: list[Any], values: list[Any], **wishes: tuple[str, ...]) -> list[list[float]]:
    rows: list[list[float]] = encode(table_of(values), [fit(training, **wishes)]).tolist()
    return rows


def test_numbers_stay_as_they_are() -> None:
    assert encoded([1.5, 2.5], [-7.25, 0, 1e30]) == [[-7.25], [0], [torch.tensor(1e30).item()]]
    assert fit([1.5, 2.5]).features == ["c"]


def test_where_a_number_is_missing_the_median_of_the_training_rows_stands_and_is_told() -> None:
    assert fit([1.5, None, 9.5, 3.5]).features == ["c", "c missing"]
    assert encoded([1.5, None, 9.5, 3.5], [None, 100.5]) == [[3.5, 1], [100.5, 0]]


def test_what_is_never_missing_in_training_has_no_feature_for_it() -> None:
    assert encoded([1.5, 9.5, 3.5], [None, 2.5]) == [[3.5], [2.5]]


def test_yes_and_no_are_1_and_0_and_a_missing_one_is_the_more_frequent() -> None:
    assert encoded(["Yes", "no", "Yes"], ["no", "YES", None]) == [[0], [1], [1]]
    assert encoded(["Yes", "no", "no", None], [None, "yes"]) == [[0, 1], [1, 0]]
    assert encoded([True, False, False], [True, None]) == [[1], [0]]
    assert encoded([0, 1, 1, 0, 1], [1, 0, None]) == [[1], [0], [1]]


def test_frequent_categories_have_a_feature_each_and_all_others_one_together() -> None:
    training = ["b"] * RARE + ["a"] * (RARE + 1) + ["rare"] * (RARE - 1)
    assert fit(training).features == ["c = a", "c = b", "c = (other)"]
    values = ["a", "b", "rare", "unseen", None]
    assert encoded(training, values) == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert fit([*training, None]).features[-1] == "c missing"
    assert encoded([*training, None], [None, "a"]) == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_without_a_rare_category_an_unseen_one_is_none_of_the_known() -> None:
    assert encoded(["a"] * RARE + ["b"] * RARE + ["z"] * RARE, ["unseen"]) == [[0, 0, 0]]


def test_so_many_categories_and_no_more_have_a_feature_the_most_frequent_first() -> None:
    training = [f"k{k:02}" for k in range(LEVELS + 1) for _ in range(RARE + k)]
    encoding = fit(training)
    assert encoding.levels == tuple(f"k{k:02}" for k in range(LEVELS, 0, -1))
    assert encoding.others


def test_where_all_categories_are_rare_they_have_features_all_the_same() -> None:
    assert fit(["a", "b", "z", "b"]).levels == ("b", "a", "z")


def test_codes_of_whole_numbers_are_named_as_they_are_written() -> None:
    assert fit([1, 2, 3] * RARE, categorical=("c",)).features == ["c = 1", "c = 2", "c = 3"]


def test_dates_are_days_with_month_and_weekday() -> None:
    training = ["1970-01-02", "2024-02-29", "2023-12-31"]  # a Friday, a Thursday and a Sunday
    assert fit(training).features == ["c", "c: month", "c: weekday"]
    assert encoded(training, training) == [[1, 1, 5], [19_782, 2, 4], [19_722, 12, 7]]
    assert encoded(training, [None]) == [[19_722, 12, 7]]  # the median
    assert encoded(["31.12.2023", "01.01.1970"], ["02.01.1970"]) == [[1, 1, 5]]
    assert encoded(["2023-12-31 00:00:00", "1970-01-01 00:00:00"], ["1970-01-02 12:00:00"]) == [[1.5, 1, 5]]
    assert encoded([*training, None], [None])[0][-1] == 1


def test_as_numbers_keeps_nulls() -> None:
    assert as_numbers("yes/no", pl.Series(["no", None, "y"])).to_list() == [0, None, 1]
    assert as_numbers("date", pl.Series(["1970-01-11", None]), "%Y-%m-%d").to_list() == [10, None]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39, -1e39])
def test_what_is_no_finite_number_of_32_bits_is_refused_with_its_row(value: float) -> None:
    with pytest.raises(KdError, match=r"t\.csv, line 4: column 'c' has .*not a finite 32-bit number"):
        encoded([1.5, 2.5], [1.0, None, value, value])


COLUMNS: list[list[Any]] = [
    [1.5, None, -3.25, 1e-8],
    ["yes", "no", None, "no"],
    ["a", "b", None, "a"],
    ["2024-01-31", None, "2023-12-01", "1999-01-01"],
    [True, False, None, True],
]


@pytest.mark.parametrize("values", COLUMNS, ids=["number", "yes/no", "category", "date", "boolean"])
def test_a_row_is_encoded_alike_alone_and_by_the_record_read_back(values: list[Any]) -> None:
    encoding = fit(values)
    read = Encoded.from_record(json.loads(json.dumps(encoding.to_record())))
    assert read == encoding
    whole = encode(table_of(values), [encoding])
    assert whole.shape == (4, len(encoding.features))
    assert bool(whole.isfinite().all())
    for row in range(4):
        one = Table(Path("t.csv"), table_of(values).frame[row : row + 1], (), str)
        assert torch.equal(encode(one, [read]), whole[row : row + 1])


def test_features_stand_in_the_order_of_the_columns() -> None:
    frame = pl.DataFrame({"a": [1.5, 2.5], "b": [5.5, None]})
    x = encode(Table(Path("t"), frame, (), str), [Encoded("b", "number", 7.0, True), Encoded("a", "number")])
    assert x.tolist() == [[5.5, 0, 1.5], [7, 1, 2.5]]


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "identifier"},
        {"name": 3},
        {"middle": "0"},
        {"missing": 1},
        {"levels": 3},
        {"levels": "ab"},
        {"levels": [1]},
        {"others": None},
        {"format": None},
        {"more": 1},
    ],
)
def test_a_record_that_no_stage_writes_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="column"):
        Encoded.from_record({**fit([1.5, 2.5]).to_record(), **changed})
