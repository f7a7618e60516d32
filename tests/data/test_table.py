import datetime
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from data.made import SHARED, sampled, written

from kdcli.data.pool import SPLITS
from kdcli.data.table import Tabular, opened
from kdcli.errors import KdError, UsageError

N = 60
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the real tables are not here")


def content(n: int = N, start: int = 0, ends: str = "", header: str = "a,b,y") -> str:
    """Return a table of n different rows, half of them of either class."""
    rows = [
        f"{k / 8},{'red' if k % 3 else 'blue'},{'no' if k % 2 else 'yes'}{ends}"
        for k in range(start, start + n)
    ]
    return "\n".join([header, *rows]) + "\n"


def test_each_row_is_in_one_split_of_each_draw_with_its_label() -> None:
    sample = sampled(content(), draws=3)
    pool = sample.pool
    assert sample.classes == ("no", "yes")
    assert sample.feature_names == ("a", "b = red", "b = blue")
    for draw in range(3):
        rows = torch.cat([pool.rows(split, draw) for split in SPLITS])
        assert sorted(rows.tolist()) == list(range(N))
    assert pool.x[:, 0].tolist() == [k / 8 for k in range(N)]
    assert pool.y.tolist() == [1 - k % 2 for k in range(N)]
    assert (sample.drawing, pool.index["test"].shape, pool.index["val"].shape) == ("split", (3, 12), (3, 10))


@pytest.mark.parametrize(
    "name", ["count", "*", "value", "literal", "len", "a b", "é", "x.y", "(other)", "None"]
)
@pytest.mark.parametrize("options", [{}, {"together": True}, {"categorical": ("2",)}, {"label": "2"}])
def test_a_column_may_have_any_name(name: str, options: dict[str, Any]) -> None:
    known = "a" if "label" in options else f"{name} = red"
    assert known in sampled(content(header=f"a,{name},y"), **options).feature_names


def test_a_column_that_is_dropped_may_be_missing_from_the_test_file() -> None:
    other = written("other.csv", "a,y\n1.5,no\n2.5,yes\n")
    sample = sampled(content(), test=other, drop=("b",))
    assert (sample.feature_names, sample.pool.index["test"].shape[1]) == (("a",), 2)
    assert not any("--together" in note for note in sample.notes)


def test_a_row_without_a_split_is_named_by_its_line() -> None:
    rows = "".join(f"{k},{('train', 'val', 'test')[k % 3]},{'pq'[k % 2]}\n" for k in range(30))
    with pytest.raises(UsageError, match=r"line 32: column 's' has no value"):
        sampled(f"a,s,y\n{rows}7,,p\n", split="s")


def test_rows_without_a_time_are_told() -> None:
    rows = "".join(f"{k / 8},{'' if k < 4 else 2000 + k},{'pq'[k % 2]}\n" for k in range(60))
    assert "--time: 4 rows without a time count as the earliest" in sampled(f"a,t,y\n{rows}", time="t").notes


def test_a_name_that_polars_takes_for_a_pattern_is_refused() -> None:
    with pytest.raises(KdError, match=r"a column is called '\^b\$'"):
        sampled(content(header="a,^b$,y"))


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    text = content().replace("0.25,red,yes", "0.25,red,?").replace("1.0,red,yes", "1.0,red,")
    sample = sampled(text)
    assert len(sample.pool.y) == N - 2
    assert "2 rows without a label left out" in sample.notes
    assert not {0.25, 1.0} & {*sample.pool.x[:, 0].tolist()}


def test_a_row_is_named_by_its_line_even_after_rows_that_were_left_out() -> None:
    text = content().replace("0.25,red,yes", "0.25,red,?").replace("1.0,red,yes", "\n1e39,red,yes")
    with pytest.raises(KdError, match=r"table\.csv, line 11: column 'a' has 1e\+39"):
        sampled(text)


def test_a_row_of_another_file_is_named_by_that_file() -> None:
    test = written("test.csv", content(20, start=100).replace("13.0,", "inf,"))
    with pytest.raises(KdError, match=r"test\.csv, line 6: column 'a' has inf"):
        sampled(content(), test=test)
    written("test.csv", content(20, start=100).replace("13.0,", "high,"))
    with pytest.raises(
        KdError, match=r"column 'a' has numbers and 1 other value \(test\.csv, line 6: 'high'\)"
    ):
        sampled(content(), test="test.csv")


def test_a_test_file_is_tested_on_in_every_draw() -> None:
    test = written("test.csv", content(20, start=100))
    sample = sampled(content(), test=test, draws=3)
    assert sample.drawing == "test kept"
    assert {split: tuple(rows.shape) for split, rows in sample.pool.index.items()} == {
        "train": (3, 48),
        "val": (3, 12),
        "test": (1, 20),
    }
    assert sample.pool.split("test").x[:, 0].tolist() == [k / 8 for k in range(100, 120)]


def test_a_validation_file_leaves_the_test_rows_to_be_drawn() -> None:
    sample = sampled(content(), val=written("val.csv", content(20, start=100)), draws=2)
    assert sample.drawing == "split"
    assert {split: tuple(rows.shape) for split, rows in sample.pool.index.items()} == {
        "train": (2, 48),
        "val": (2, 20),
        "test": (2, 12),
    }


def test_columns_of_a_test_file_may_stand_in_another_order_and_it_may_have_more() -> None:
    frame = pl.read_csv(content(20, start=100).encode())
    frame.select(pl.lit("more").alias("c"), "y", "b", "a").write_csv("test.csv")
    sample = sampled(content(), test="test.csv")
    assert sample.pool.split("test").x[:, 0].tolist() == [k / 8 for k in range(100, 120)]


def test_a_test_file_without_a_column_is_refused_with_its_name() -> None:
    written("test.csv", content(20, header="a,c,y"))
    with pytest.raises(KdError, match=r"test\.csv lacks columns of table\.csv: b; it has others: c"):
        sampled(content(), test="test.csv")


def test_codes_that_are_texts_in_one_file_alone_are_the_same_categories() -> None:
    train = "code,y\n" + "".join(f"{code},{y}\n" for code in ("1", "2", "X") for y in "ab" for _ in range(20))
    sample = sampled(train, test=written("test.csv", "code,y\n1,a\n2,b\n"))
    assert set(sample.feature_names) == {"code = 1", "code = 2", "code = X"}
    assert sample.pool.split("test").x.sum(1).tolist() == [1, 1]


def test_labels_that_end_with_a_full_stop_in_the_test_file_are_the_same_classes() -> None:
    sample = sampled(content(), test=written("test.csv", content(20, start=100, ends=".")))
    assert sample.classes == ("no", "yes")
    assert "test.csv: the full stop at the end of its labels was removed" in sample.notes


def test_labels_of_numbers_are_in_their_order() -> None:
    text = "a,y\n" + "".join(f"{k / 8},{(10, 9, 100)[k % 3]}\n" for k in range(N))
    assert sampled(text).classes == ("9", "10", "100")


def test_encodings_are_fitted_on_the_training_rows_of_draw_0() -> None:
    rows = [f"{k / 8 if k % 2 else ''},{'ab'[k // 2 % 2]}" for k in range(N)]
    sample = sampled("x,y\n" + "\n".join(rows) + "\n", draws=3)
    (encoding,) = sample.encodings
    training = [k / 8 for k in sample.pool.rows("train", 0).tolist() if k % 2]
    assert encoding.middle == torch.tensor(training).double().quantile(0.5).item()
    assert {*sample.pool.x[sample.pool.x[:, 1] == 1][:, 0].tolist()} == {encoding.middle}


def test_columns_that_are_not_learned_from_are_no_features() -> None:
    rows = [f"{k + 1},{k / 8},same,{'ab'[k % 2]},{k % 4}" for k in range(4 * N)]
    text = "id,a,c,y,g\n" + "\n".join(rows) + "\n"
    sample = sampled(text)
    assert sample.feature_names == ("a", "g")
    assert {column.name: column.kind for column in sample.decisions} == {
        "id": "identifier",
        "a": "number",
        "c": "constant",
        "g": "number",
    }
    assert sampled(text, numeric=("id",)).feature_names == ("id", "a", "g")
    assert tuple(sorted(sampled(text, drop=("a",), categorical=("5",)).feature_names)) == (
        "g = 0",
        "g = 1",
        "g = 2",
        "g = 3",
    )
    with pytest.raises(KdError, match="has no column to learn from"):
        sampled(text, drop=("a", "g"))


def test_test_rows_that_equal_a_training_row_are_counted() -> None:
    assert not any("equal a training row" in note for note in sampled(content()).notes)
    sample = sampled(content() + content(N).partition("\n")[2])
    training = {*map(tuple, sample.pool.split("train").x.tolist())}
    count = sum(tuple(row) in training for row in sample.pool.split("test").x.tolist())
    assert count
    assert any(note.startswith(f"{count} of 24 test rows equal a training row") for note in sample.notes)


def test_equal_rows_stay_together_on_demand() -> None:
    sample = sampled(content() + content(N).partition("\n")[2], together=True, draws=2)
    assert not any("equal a training row" in note for note in sample.notes)
    for draw in range(2):
        parts = [{*map(tuple, sample.pool.split(split, draw).x.tolist())} for split in SPLITS]
        assert sum(map(len, parts)) == len(set.union(*parts))


def test_a_feature_that_tells_the_label_is_named() -> None:
    rows = "".join(f"{k / 8},{7 if k % 2 else 3},{'ab'[k % 2]}\n" for k in range(N))
    notes = sampled("a,leak,y\n" + rows).notes
    assert any("'leak' tells the label by itself" in note for note in notes)
    assert not any("'a' tells" in note for note in notes)
    other = rows.replace("0.0,3", "0.0,7")
    assert not any("tells the label" in note for note in sampled("a,leak,y\n" + other).notes)


def test_rows_of_a_group_are_in_one_split() -> None:
    text = "a,g,y\n" + "".join(f"{k / 8},g{k // 4},{'ab'[k // 4 % 2]}\n" for k in range(200))
    sample = sampled(text, group="g", draws=2)
    assert sample.feature_names == ("a",)
    for draw in range(2):
        parts = [{*(sample.pool.split(split, draw).x[:, 0] * 2).floor().tolist()} for split in SPLITS]
        assert sum(map(len, parts)) == len(set.union(*parts))


@pytest.mark.parametrize("dates", [False, True])
def test_later_rows_are_validated_and_tested_on(dates: bool) -> None:
    def time(k: int) -> str:
        return str(datetime.date(2020, 1, 1) + datetime.timedelta(days=k)) if dates else f"{k + 0.5}"

    rows = "".join(f"{k / 8},{time(k)},{'ab'[k % 2]}\n" for k in reversed(range(N)))
    sample = sampled("a,t,y\n" + rows, time="t")
    assert sample.drawing == "test kept"
    splits = {split: sorted((8 * sample.pool.split(split).x[:, 0]).tolist()) for split in SPLITS}
    assert splits == {"train": list(range(38)), "val": list(range(38, 48)), "test": list(range(48, 60))}


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="--time: column 'b' has neither dates nor numbers"):
        sampled(content(), time="b")


@pytest.mark.parametrize("with_val", [True, False])
def test_a_column_says_the_split_of_each_row(with_val: bool) -> None:
    def part(k: int) -> str:
        return "test" if k >= 50 else "val" if with_val and k >= 40 else "train"

    rows = "".join(f"{k / 8},{part(k)},{'ab'[k % 2]}\n" for k in range(N))
    sample = sampled("a,part,y\n" + rows, split="part", draws=1 if with_val else 2)
    if with_val:
        with pytest.raises(UsageError, match="all draws would have the same rows"):
            sampled("a,part,y\n" + rows, split="part", draws=2)
    assert (sample.drawing, sample.feature_names) == ("test kept", ("a",))
    assert sample.pool.index["test"].tolist() == [list(range(50, 60))]
    assert sorted(sample.pool.rows("val").tolist() + sample.pool.rows("train").tolist()) == list(range(50))
    assert sample.pool.index["val"].shape == (1 if with_val else 2, 10)
    assert (sorted(sample.pool.rows("val").tolist()) == list(range(40, 50))) is with_val


def test_two_ways_to_split_are_refused() -> None:
    written("test.csv", content(20))
    for ways in (
        {"test": "test.csv", "group": "b"},
        {"split": "b", "time": "a"},
        {"time": "a", "together": True},
    ):
        with pytest.raises(UsageError, match="both choose the test rows"):
            sampled(content(), **ways)


def test_a_class_that_a_split_lacks_is_refused_with_its_rows() -> None:
    with pytest.raises(KdError, match="class 'once' has 1 row, none in"):
        sampled(content() + "3,red,once\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,y\n" + "1,x\n" * 9, "the label column 'y' has only 'x'"),
        ("a,y\n" + "1,\n" * 9, "the label column 'y' has no value"),
        ("a,y\n" + "".join(f"1,{k / 8}\n" for k in range(101)), "101 different values .*: are they measures"),
    ],
)
def test_labels_that_are_no_classes_are_refused(text: str, words: str) -> None:
    with pytest.raises(KdError, match=words):
        sampled(text)


def test_what_a_table_needs_is_asked_for() -> None:
    for config, words in (
        (Tabular(), "a table needs a file"),
        (Tabular(file="t.csv"), "t.csv needs a label column"),
    ):
        with pytest.raises(UsageError, match=words):
            opened(config)
    with pytest.raises(KdError, match=r"--label: table\.csv has no column 'Y'"):
        sampled(content(), label="Y")


def test_options_are_left_with_nothing_open_and_another_content_is_refused() -> None:
    written("t.csv", content())
    config, _ = opened(Tabular(file="t.csv", label="y"))
    assert (config.draws, config.file, config.test, len(config.digest)) == (
        10,
        str(Path("t.csv").absolute()),
        "",
        64,
    )
    assert opened(config)[0] == config
    written("t.csv", content(N + 1))
    with pytest.raises(KdError, match="SHA-256 differs"):
        opened(config)


def test_a_parquet_file_gives_the_same_data_as_its_text() -> None:
    text = sampled(content(), draws=2)
    pl.read_csv(content().encode()).write_parquet("t.parquet")
    pool = opened(Tabular(file="t.parquet", label="y", draws=2))[1]().pool
    assert torch.equal(pool.x, text.pool.x)
    assert all(torch.equal(pool.index[split], text.pool.index[split]) for split in SPLITS)


@real
@pytest.mark.parametrize(
    ("options", "classes", "sizes", "width", "notes"),
    [
        (
            {"file": "adult-train.csv", "label": "15", "test": "adult-test.csv"},
            ("<=50K", ">50K"),
            (26_049, 6512, 16_281),
            None,
            "full stop",
        ),
        (
            {"file": "telco-churn.csv", "label": "Churn"},
            ("No", "Yes"),
            (4507, 1127, 1409),
            None,
            "byte-order",
        ),
        (
            {"file": "horse-colic.csv", "label": "23"},
            ("1", "2", "3"),
            (191, 48, 60),
            None,
            "1 row without a label",
        ),
        (
            {"file": "mammography.csv", "label": "7"},
            ("-1", "1"),
            (7157, 1789, 2237),
            6,
            "quotes around labels",
        ),
    ],
    ids=["adult", "telco", "horse", "mammography"],
)
def test_real_tables_keep_all_rows_and_say_what_was_odd(
    options: dict[str, Any], classes: tuple[str, ...], sizes: tuple[int, ...], width: int | None, notes: str
) -> None:
    paths = {key: str(SHARED / value) for key, value in options.items() if key != "label"}
    sample = opened(Tabular(**{**options, **paths, "draws": 1}))[1]()
    assert sample.classes == classes
    assert tuple(sample.pool.index[split].shape[1] for split in SPLITS) == sizes
    assert sum(sizes) == len(sample.pool.y)
    assert width in (None, len(sample.feature_names))
    assert any(notes in note for note in sample.notes)
    assert bool(sample.pool.x.isfinite().all())


@real
def test_ten_wines_of_the_rarest_class_reach_every_split_of_ten_draws() -> None:
    config = Tabular(file=str(SHARED / "winequality-red.csv"), label="12", draws=10)
    sample = opened(config)[1]()
    assert sample.classes == ("3", "4", "5", "6", "7", "8")
    counts = {split: [sample.pool.labels(split, k).bincount()[0] for k in range(10)] for split in SPLITS}
    assert counts == {"train": [6] * 10, "val": [2] * 10, "test": [2] * 10}


def test_numbers_of_no_finite_value_are_refused_in_a_columnar_file() -> None:
    pl.DataFrame({"a": [1.0, math.nan] * 9, "y": ["a", "a", "b"] * 6}).write_parquet("t.parquet")
    with pytest.raises(KdError, match=r"t\.parquet, row 2: column 'a' has nan"):
        opened(Tabular(file="t.parquet", label="y", draws=1))[1]()


@pytest.mark.parametrize("way", ["time", "split"])
def test_where_nothing_is_left_to_chance_there_is_one_draw(tmp_path: Path, way: str) -> None:
    rows = [f"{k},{'train' if k < 12 else 'val' if k < 16 else 'test'},{'pq'[k % 2]}" for k in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["day,part,y", *rows]) + "\n")
    column = {"time": "day", "split": "part"}[way]
    config, _ = opened(Tabular(file=str(tmp_path / "t.csv"), label="y", **{way: column}))
    assert config.draws == 1
    config, _ = opened(Tabular(file=str(tmp_path / "t.csv"), label="y", draws=3, **{way: column}))
    assert config.draws == 3


def test_a_table_larger_than_memory_is_refused_unless_a_part_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{k % 7},{'pq'[k % 2]}\n" for k in range(100)))
    monkeypatch.setattr("kdcli.data.owned.free_memory", lambda: 400)
    with pytest.raises(KdError, match=r"reading t\.csv takes about .* of memory") as refused:
        opened(Tabular(file=str(tmp_path / "t.csv"), label="y"))
    assert "--n-rows" in str(refused.value.hint)
    config, sample = opened(Tabular(file=str(tmp_path / "t.csv"), label="y", n_rows=40))
    assert sum(index.shape[1] for index in sample().pool.index.values()) == 40
    assert config.n_rows == 40
    _, sample = opened(Tabular(file=str(tmp_path / "t.csv"), label="y", n_rows=60))
    with pytest.raises(KdError, match=r"encoding t\.csv takes about .* of memory"):
        sample()
