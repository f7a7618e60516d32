import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data.made import SHARED

from kdcli.data.tables.columns import Column, Wishes, flagged, named, recognised
from kdcli.data.tables.reading import Table, read_table
from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError


def table_of(**columns: list[Any]) -> Table:
    return Table(Path("t.csv"), pl.DataFrame(columns), (), lambda row: f"t.csv, line {row + 2}")


def column_of(values: list[Any], name: str = "c", **wishes: tuple[str, ...]) -> Column:
    (column,) = recognised(table_of(**{name: values}), (), Wishes(**wishes))
    return column


def kind_of(values: list[Any], name: str = "c", **wishes: tuple[str, ...]) -> str:
    return column_of(values, name, **wishes).kind


TEXTS = [f"word{k}" for k in range(100)]
SENTENCES = [f"this is sentence number {k}" for k in range(100)]
COUNT = list(range(1, 101))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5, None], "number"),
        ([1, 2, 3], "number"),
        ([3, 3, 4], "number"),
        ([0, 1, None, 1], "yes/no"),
        ([1, 2, 1], "number"),
        ([True, False, None], "yes/no"),
        (["Yes", "no", None], "yes/no"),
        (["ja", "NEIN"], "yes/no"),
        (["yes", "perhaps"], "category"),
        (["yes", "no", "perhaps"], "category"),
        (["red", "blue", None], "category"),
        (["2024-01-31", "2023-12-01", None], "date"),
        (["2024/01/31", "2023/12/01"], "date"),
        (["31.01.2024", "01.12.2023"], "date"),
        (["2024-01-31 10:00:00", "2023-12-01 23:59:59"], "date"),
        (["2024-01-31T10:00:00", "2023-12-01T23:59:59"], "date"),
        (["2024-01-31", "soon"], "category"),
        (["2024-01-31", "31.01.2024"], "category"),
        ([datetime.date(2024, 1, 31), datetime.date(2023, 1, 1)], "date"),
        ([None, None], "constant"),
        (["x", "x", None], "constant"),
        ([5, 5], "constant"),
        ([True, True], "constant"),
        (["012", "13", "14"], "category"),
    ],
)
def test_every_value_decides_what_a_column_is(values: list[Any], kind: str) -> None:
    assert kind_of(values) == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (TEXTS[:21], "identifier"),
        (TEXTS[:20], "category"),  # as few may be categories
        (TEXTS[:50] * 2, "category"),  # half of them different
        (TEXTS[:51] + TEXTS[:49], "identifier"),
        (SENTENCES, "free text"),
        ([f"three words {k}" for k in range(100)], "identifier"),
        ([f"now four words {k}" for k in range(100)], "free text"),
        (SENTENCES[:20], "category"),
    ],
)
def test_texts_that_hardly_repeat_name_rows_or_are_free(values: list[str], kind: str) -> None:
    assert kind_of(values) == kind
    assert kind_of(values, categorical=("c",)) == "category"


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("c", COUNT, "identifier"),  # 1, 2, 3, … without a gap
        ("c", COUNT[:21], "identifier"),
        ("c", COUNT[:20], "number"),
        ("c", [*COUNT[:-1], 500], "number"),
        ("id", [*COUNT[:-1], 500], "identifier"),
        ("customerID", [*COUNT[:-1], 500], "identifier"),
        ("row_nr", [*COUNT[:-1], 500], "identifier"),
        ("Unnamed: 0", [*COUNT[:-1], 500], "identifier"),
        ("paid", [*COUNT[:-1], 500], "number"),
        ("id", [*COUNT[:-1], 1], "number"),  # it repeats
        ("id", [k + 0.5 for k in COUNT], "number"),
        ("ZipCode", [90001, 90002, 90001], "category"),
        ("plz", [1, 2, 1], "category"),
        ("zip", [1.5, 2.5, 1.5], "number"),
    ],
)
def test_whole_numbers_that_name_rows_or_places_are_no_numbers(
    name: str, values: list[Any], kind: str
) -> None:
    assert kind_of(values, name) == kind
    assert kind_of(values, name, numeric=(name,)) == "number"


def test_large_numbers_that_hardly_repeat_are_numbers_with_a_doubt() -> None:
    large = [1000 + 7 * k for k in COUNT]
    assert (column_of(large).why, column_of(large).hint) == ("perhaps an identifier", "--drop c")
    assert column_of([999, *large[1:]]).why == ""
    assert column_of(large[:90] + large[:10]).why == ""  # nine of ten are different


def test_a_decision_tells_the_values_what_is_missing_why_and_the_flag_that_changes_it() -> None:
    assert column_of(["a", "b", "a", None]) == Column("c", "category", 0.25, "'a', 'b'")
    assert column_of(["007", "07"], "my code") == Column(
        "my code",
        "category",
        0.0,
        column_of(["007", "07"]).values,
        "digits with leading zeros: a code",
        "--numeric 'my code'",
    )
    assert column_of([1.5, 20.25]).values == "1.5 to 20.25"
    assert column_of([*"aaabbbccde"]).values.endswith("and 2 more")
    assert column_of(["31.01.2024", "01.12.2023"]).format == "%d.%m.%Y"
    assert column_of([0, 1]).hint == "--categorical c"


def test_what_the_user_says_goes_first() -> None:
    assert kind_of([1, 2, 3], categorical=("c",)) == "category"
    assert kind_of([0, 1, 0], numeric=("c",)) == "number"
    assert kind_of(["007", "07"], numeric=("c",)) == "number"
    assert kind_of([1, 2, 3], drop=("c",)) == "dropped"
    assert kind_of(["x", "x"], drop=("c",)) == "dropped"
    assert kind_of([1, 2, 3], drop=("another",)) == "number"


def test_columns_that_are_left_out_are_not_looked_at() -> None:
    mixed = ["x", *map(str, range(99))]
    columns = recognised(table_of(a=mixed, b=[1.5] * 99 + [2.5]), {"a"}, Wishes())
    assert [column.name for column in columns] == ["b"]


def test_a_column_of_numbers_with_a_few_other_values_is_refused_with_the_first_three_rows() -> None:
    values = [*map(str, range(100)), "high", "low", "high", None, "odd"]
    with pytest.raises(KdError) as problem:
        kind_of(values)
    assert problem.value.message == (
        "column 'c' has numbers and 4 other values (t.csv, line 102: 'high'; t.csv, line 103: 'low'; "
        "t.csv, line 104: 'high')"
    )
    assert "--missing TEXT" in problem.value.hint
    assert "--categorical c" in problem.value.hint


def test_from_nine_numbers_of_ten_the_others_are_mistakes() -> None:
    with pytest.raises(KdError, match="1 other value "):
        kind_of([*"123456789", "x"])
    assert kind_of([*"12345678", "x", "y"]) == "category"
    assert kind_of([*"123456789", "x"], categorical=("c",)) == "category"
    with pytest.raises(KdError, match="2 other values"):
        kind_of([*"12345678", "x", "y"], numeric=("c",))


def test_a_column_is_named_by_name_or_place_and_a_name_goes_before_a_place() -> None:
    table = table_of(**{"age": [1], "2": [2], "size": [3]})
    assert [named(table, given, "--drop") for given in ("age", "1", "2", "3")] == ["age", "age", "2", "size"]
    for given in ("0", "4", "-1", "²", ""):
        with pytest.raises(KdError, match=r"--drop: t\.csv has no column") as problem:
            named(table, given, "--drop")
        assert problem.value.hint == "columns: age, 2, size; or a number from 1 to 3"
    with pytest.raises(KdError, match=r"no column 'sise'; did you mean size\?"):
        named(table, "sise", "--label")


def test_flags_are_written_as_a_shell_reads_them() -> None:
    assert flagged("--drop", "a b's") == """--drop 'a b'"'"'s'"""


@pytest.mark.parametrize(
    "changed",
    [{"kind": "thing"}, {"missing": "0"}, {"missing": None}, {"name": 3}, {"why": None}, {"more": ""}],
)
def test_a_record_reads_back_equal_and_another_is_refused(changed: dict[str, Any]) -> None:
    column = column_of(["a", "b", None])
    assert Column.from_record(dict(vars(column))) == column
    with pytest.raises(ValueError, match="not a column of a table"):
        Column.from_record({**vars(column), **changed})


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real tables are not here")
def test_the_columns_of_a_real_table() -> None:
    table = read_table(SHARED / "telco-churn.csv", Dialect())
    kinds = {column.name: column.kind for column in recognised(table, {"Churn"}, Wishes())}
    assert kinds["customerID"] == "identifier"
    assert kinds["TotalCharges"] == kinds["tenure"] == kinds["MonthlyCharges"] == "number"
    assert kinds["SeniorCitizen"] == kinds["Partner"] == "yes/no"
    assert kinds["Country"] == "constant"
    assert kinds["ZipCode"] == kinds["Contract"] == "category"
    assert len(kinds) == 25
