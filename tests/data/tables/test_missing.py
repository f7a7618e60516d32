from collections import Counter

import polars as pl
import pytest

from kdcli.data.tables.missing import MISSING, note_of_missing, with_nulls


@pytest.mark.parametrize("word", MISSING)
def test_every_word_for_a_missing_value_is_a_null(word: str) -> None:
    found = Counter[str]()
    assert with_nulls(pl.Series([word, "x"]), (), found).to_list() == [None, "x"]
    assert found == ({word: 1} if word else {})  # blanks are not counted


@pytest.mark.parametrize("value", ["na", "none", "None", "-", "0", "??", "n/a", "missing"])
def test_other_words_are_values_unless_the_user_says_so(value: str) -> None:
    found = Counter[str]()
    assert with_nulls(pl.Series([value]), (), found).to_list() == [value]
    assert found == {}
    assert with_nulls(pl.Series([value]), (value,), found).to_list() == [None]
    assert found == {value: 1}


def test_a_word_is_counted_once_however_often_it_is_named_and_over_columns() -> None:
    found = Counter[str]()
    for column in (["?", "?", "x"], ["?", None, "-"]):
        with_nulls(pl.Series(column), ("?", "-", "-"), found)
    assert found == {"?": 3, "-": 1}


def test_the_note_names_the_words_and_how_often_they_came() -> None:
    assert note_of_missing({}) == []
    assert note_of_missing({"?": 1234, "-": 1}) == [
        "missing values: '?' (1,234), '-' (1) (--missing adds another)"
    ]
