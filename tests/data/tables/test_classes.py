from pathlib import Path

import polars as pl
import pytest

from kdcli.data.tables.classes import labels_of, text_of, unified
from kdcli.data.tables.reading import Table


def labels(values: list[object]) -> tuple[list[str | None], list[str]]:
    notes: list[str] = []
    frame = pl.DataFrame({"y": pl.Series(values, strict=False)})
    return labels_of(Table(Path("t.csv"), frame, (), str), "y", notes).to_list(), notes


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, None], ["1", "2", None]),
        ([1, 2], ["1", "2"]),
        ([1.5, 2.0], ["1.5", "2.0"]),
        ([True, False], ["true", "false"]),
        ([" a", "b "], ["a", "b"]),
        (["01", "1"], ["01", "1"]),
        ([None, None], [None, None]),
    ],
)
def test_labels_are_texts_and_whole_numbers_have_no_decimals(
    values: list[object], expected: list[str | None]
) -> None:
    assert labels(values) == (expected, [])


@pytest.mark.parametrize("values", [[1e300, 2.0], [float("inf"), 1.0], [float("nan"), 1.0]])
def test_numbers_too_large_to_be_whole_are_labels_as_they_are_written(values: list[float]) -> None:
    assert labels([*values])[0] == [str(pl.Series([v]).cast(pl.String)[0]) for v in values]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_all_labels_are_removed_and_that_is_told(quote: str) -> None:
    assert labels([f"{quote}1{quote}", None, f"{quote}-1{quote}"]) == (
        ["1", None, "-1"],
        ["t.csv: quotes around labels were removed"],
    )
    assert labels([f"{quote}1{quote}", "2"]) == ([f"{quote}1{quote}", "2"], [])


def test_full_stops_are_removed_where_one_of_two_files_has_them_at_every_label() -> None:
    notes: list[str] = []
    plain, stopped = pl.Series(["<=50K", ">50K", None]), pl.Series([">50K.", None, "<=50K."])
    spelled = unified([plain, stopped], ["train", "test"], notes)
    assert [series.to_list() for series in spelled] == [["<=50K", ">50K", None], [">50K", None, "<=50K"]]
    assert notes == ["test: the full stop at the end of its labels was removed"]


@pytest.mark.parametrize(
    "files",
    [
        [["a.", "b."]],
        [["a.", "b."], ["b.", "a."]],
        [["a", "b"], ["b.", "a"]],
        [["a", "b"], ["b", "a"]],
    ],
)
def test_full_stops_stay_where_all_files_have_them_or_only_some_labels(files: list[list[str]]) -> None:
    notes: list[str] = []
    spelled = unified([pl.Series(file) for file in files], ["train", "test"], notes)
    assert [series.to_list() for series in spelled] == files
    assert notes == []


def test_whole_numbers_are_the_same_text_whatever_their_type() -> None:
    for kind in (pl.Int64, pl.Float64, pl.Float32, pl.UInt8):
        assert text_of(pl.Series([7, None], dtype=kind)).to_list() == ["7", None]
