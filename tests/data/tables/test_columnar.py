import datetime
import sys
from pathlib import Path

import polars as pl
import pytest
from data.made import written

from kdcli.data.tables.reading import Table, read_table
from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError

FRAME = pl.DataFrame({"name": [" ann", "?", None], "size": [1, 2, None], "ok": [True, False, None]})


def write(frame: pl.DataFrame, name: str) -> Path:
    frame.write_parquet(name) if name.endswith((".parquet", ".pq")) else frame.write_ipc(name)
    return Path(name)


def read(frame: pl.DataFrame, name: str = "t.parquet", missing: tuple[str, ...] = ()) -> Table:
    return read_table(write(frame, name), Dialect(missing=missing))


@pytest.mark.parametrize("name", ["t.parquet", "t.pq", "t.feather", "t.arrow", "t.ipc"])
def test_columns_keep_their_types_and_texts_lose_spaces_and_words_for_missing(name: str) -> None:
    table = read(FRAME, name)
    assert table.frame.rows() == [("ann", 1, True), (None, 2, False), (None, None, None)]
    assert table.notes == ("missing values: '?' (1) (--missing adds another)",)
    assert table.place(2) == f"{name}, row 3"
    assert read(FRAME, name, missing=("ann",)).frame["name"].null_count() == 3


def test_categories_are_texts() -> None:
    frame = pl.DataFrame({"a": pl.Series(["x", "NA"], dtype=pl.Categorical)})
    assert read(frame).frame["a"].to_list() == ["x", None]


def test_times_of_day_and_durations_are_numbers() -> None:
    times = [datetime.time(1), datetime.time(2)]
    spans = [datetime.timedelta(hours=1), datetime.timedelta(hours=3)]
    frame = read(pl.DataFrame({"at": times, "for": spans})).frame
    assert frame.dtypes == [pl.Float64, pl.Float64]
    assert frame["at"][1] == 2 * frame["at"][0]
    assert frame["for"][1] == 3 * frame["for"][0]


@pytest.mark.parametrize(
    ("values", "kind"), [([[1], [2]], "List"), ([{"k": 1}, {"k": 2}], "Struct"), ([b"x", b"y"], "Binary")]
)
def test_columns_of_no_plain_values_are_refused_by_name(values: list[object], kind: str) -> None:
    with pytest.raises(KdError, match=rf"t\.parquet, column 'odd' has the type {kind}"):
        read(pl.DataFrame({"a": [1, 2], "odd": values}))


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(KdError, match=r"t\.parquet is empty"):
        read(FRAME.head(0))


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_a_damaged_file_is_refused_by_name_and_nothing_else_is_said(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content = write(FRAME, name).read_bytes()
    for damaged in (b"", content[:-20], b"PAR1" + b"x" * 50, content[: len(content) // 2]):
        with pytest.raises(KdError, match=rf"{name} is damaged"):
            read_table(Path(written(name, damaged)), Dialect())
    assert capfd.readouterr() == ("", "")


def test_a_file_that_ends_the_process_which_reads_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dies = "import os; os.abort()"
    program = Path(written("dies", f"#!{sys.executable}\n{dies}\n")).absolute()
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(KdError, match=r"t\.parquet is damaged: reading it crashes Polars"):
        read(FRAME)
