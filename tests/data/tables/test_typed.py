import polars as pl

from kdcli.data.tables.typed import typed


def test_columns_of_numbers_become_numbers_and_all_else_stays() -> None:
    frame = pl.DataFrame(
        {
            "whole": ["1", None, "-3"],
            "number": ["1.5", "2", "1e3"],
            "code": ["01", "12", "33"],
            "zero": ["0", "0.5", "0"],
            "word": ["a", "1", "2"],
            "nothing": pl.Series([None, None, None], dtype=pl.String),
            "true": [True, False, None],
        }
    )
    found = typed(frame)
    assert found.columns == frame.columns
    assert found["whole"].to_list() == [1, None, -3]
    assert found["number"].to_list() == [1.5, 2.0, 1000.0]
    assert found["zero"].dtype == pl.Float64
    for same in ("code", "word", "nothing", "true"):
        assert found[same].equals(frame[same])
