import math
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kdcli.data.tables.synthetic import munge, nearest_other_rows
from kdcli.errors import KdError

NUMERIC = ("x", "y")
EIGHTHS = st.none() | st.integers(0, 8)  # whose scaled squares are exact, so that ties are ties
ROWS = st.lists(st.tuples(EIGHTHS, EIGHTHS, st.sampled_from([None, "a", "b"]), st.booleans()), max_size=12)
SCHEMA = {"x": pl.Int64, "y": pl.Float64, "word": pl.String, "flag": pl.Boolean}
Row = tuple[Any, ...]


def frame_of(rows: list[Row]) -> pl.DataFrame:
    ends: list[Row] = [(0, 0, "a", True), (8, 8, "b", False)]  # so that each range is 8
    return pl.DataFrame(rows + ends, schema=SCHEMA, orient="row")


def distance(row: Row, other: Row, spans: list[float | None]) -> float:
    total = 0.0
    for value, other_value, span in zip(row, other, spans, strict=True):
        if span is None or value is None or other_value is None:
            total += value != other_value
        elif span > 0:
            total += ((value - other_value) / span) ** 2
    return total


def spans_of(frame: pl.DataFrame, numeric: tuple[str, ...]) -> list[float | None]:
    spans: list[float | None] = []
    for column in frame:
        values = [value for value in column if value is not None]
        spans.append(max(values, default=0) - min(values, default=0) if column.name in numeric else None)
    return spans


def by_value(row: Row) -> list[tuple[bool, Any]]:
    return [(value is not None, value) for value in row]


def slow_neighbours(frame: pl.DataFrame, numeric: tuple[str, ...]) -> list[Row]:
    spans, rows = spans_of(frame, numeric), frame.rows()
    neighbours = []
    for row in rows:
        others = sorted((other for other in rows if other != row), key=by_value)
        neighbours.append(min(others, key=lambda other: distance(row, other, spans)))
    return neighbours


def slow_munge(
    frame: pl.DataFrame,
    passes: int,
    random: np.random.Generator,
    p: float,
    s: float,
    numeric: tuple[str, ...],
) -> list[Row]:
    neighbours, new_rows = slow_neighbours(frame, numeric), []
    for _ in range(passes):
        new = [list(row) for row in frame.rows()]
        for place, column in enumerate(frame):
            number = column.name in numeric
            whole = number and all(value is None or float(value).is_integer() for value in column)
            chances = random.random(frame.height)
            normals = random.standard_normal(frame.height) if number else []
            for row, neighbour in enumerate(neighbours):
                if chances[row] >= p:
                    continue
                mine, theirs = column[row], neighbour[place]
                if not number or mine is None or theirs is None:
                    new[row][place] = theirs
                else:
                    draw = theirs + abs(mine - theirs) / s * normals[row]
                    new[row][place] = round(draw) if whole else draw
        new_rows += [tuple(row) for row in new]
    return new_rows


@given(ROWS)
@settings(deadline=None)
def test_neighbours_are_those_of_the_formula(rows: list[Row]) -> None:
    frame = frame_of(rows)
    assert frame[nearest_other_rows(frame, NUMERIC)].rows() == slow_neighbours(frame, NUMERIC)


@given(ROWS, st.integers(1, 3), st.sampled_from([0.0, 0.5, 0.75, 1.0]), st.sampled_from([0.5, 1.0, 2.0]))
@settings(deadline=None)
def test_new_rows_are_those_of_the_formula(rows: list[Row], passes: int, p: float, s: float) -> None:
    frame = frame_of(rows)
    new = munge(frame, passes, np.random.default_rng(5), p=p, s=s, numeric=NUMERIC)
    assert new.schema == frame.schema
    assert new.rows() == slow_munge(frame, passes, np.random.default_rng(5), p, s, NUMERIC)


def test_rows_searched_in_several_blocks_are_those_of_the_formula(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kdcli.data.tables.synthetic.PAIRS", 1000)
    random = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "x": random.normal(size=150),
            "y": np.where(random.random(150) < 0.2, None, random.normal(size=150)).tolist(),
            "word": random.choice(["a", "b", "c"], 150),
            "day": [date(2020, 1, 1 + int(day)) for day in random.integers(0, 3, 150)],
        },
        schema_overrides={"y": pl.Float64},
    )
    new = munge(frame, 2, np.random.default_rng(1), numeric=NUMERIC)
    expected = slow_munge(frame, 2, np.random.default_rng(1), 0.5, 1.0, NUMERIC)
    assert_frame_equal(new, pl.DataFrame(expected, schema=frame.schema, orient="row"))


@given(ROWS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_neighbours_do_not_depend_on_the_order_of_rows(rows: list[Row], random: Any) -> None:
    frame = frame_of(rows)
    order = list(range(frame.height))
    random.shuffle(order)
    neighbours, shuffled = frame[nearest_other_rows(frame, NUMERIC)], frame[order]
    assert_frame_equal(shuffled[nearest_other_rows(shuffled, NUMERIC)], neighbours[order])


def test_a_duplicate_is_not_its_own_neighbour() -> None:
    frame = pl.DataFrame({"x": [1, 1, 5, 1], "word": ["a", "a", "b", None]})
    assert frame[nearest_other_rows(frame, ["x"])].rows() == [(1, None), (1, None), (1, None), (1, "a")]


def test_a_missing_number_is_at_distance_1_from_any_and_0_from_another() -> None:
    frame = pl.DataFrame({"x": [0.0, 10.0, None, None], "y": [0.0, 0.5, 0.6, 1.0]})
    # from row 2: 1 + 0.36 to row 0, 1 + 0.01 to row 1, 0.16 to row 3; from row 1: 1.25, 1.01 and 1.25
    assert nearest_other_rows(frame, ["x", "y"]).tolist()[1:] == [2, 3, 2]


def test_no_attribute_changes_with_probability_0() -> None:
    frame = frame_of([(3, None, None, True), (None, 2, "b", True)])
    new = munge(frame, 3, np.random.default_rng(0), p=0, numeric=NUMERIC)
    assert_frame_equal(new, pl.concat([frame] * 3))


def test_two_rows_of_categories_swap_with_probability_1() -> None:
    frame = pl.DataFrame({"word": ["a", None], "flag": [True, False], "day": [date(2020, 1, 1), None]})
    new = munge(frame, 2, np.random.default_rng(0), p=1, numeric=[])
    assert_frame_equal(new, pl.concat([frame.reverse()] * 2))


def test_numbers_are_normal_around_the_neighbour() -> None:
    frame = pl.DataFrame({"x": [0.5, 10.5]})
    passes = 20_000
    new = munge(frame, passes, np.random.default_rng(0), p=1, s=2, numeric=["x"])
    draws = new["x"].to_numpy().reshape(passes, 2)
    six = 6 * 5 / math.sqrt(passes)  # standard errors
    assert draws.mean(0) == pytest.approx([10.5, 0.5], abs=six)
    assert draws.std(0) == pytest.approx([5, 5], abs=six)
    assert np.mean(np.abs(draws - [10.5, 0.5]) < 5) == pytest.approx(0.683, abs=0.02)


def test_an_attribute_changes_with_the_given_probability_whatever_the_others_do() -> None:
    frame = pl.DataFrame({"x": [0.0, 1.5], "word": ["a", "b"]})
    passes = 20_000
    new = munge(frame, passes, np.random.default_rng(0), p=0.25, numeric=["x"])
    changed = (new != pl.concat([frame] * passes)).to_numpy()
    assert changed.mean(0) == pytest.approx([0.25, 0.25], abs=0.02)
    assert changed.all(1).mean() == pytest.approx(0.0625, abs=0.01)


@pytest.mark.parametrize("kind", [pl.Int64, pl.UInt8, pl.Float64, pl.Float32])
def test_whole_numbers_stay_whole_and_within_their_type(kind: Any) -> None:
    frame = pl.DataFrame({"x": pl.Series([0, 1, None, 255], dtype=kind)})
    new = munge(frame, 200, np.random.default_rng(0), p=1, numeric=["x"])
    values = new["x"].drop_nulls().cast(pl.Float64)
    assert new.schema == frame.schema
    assert values.n_unique() > 50
    assert (values == values.round()).all()


def test_a_draw_that_the_type_cannot_hold_becomes_the_neighbours_value() -> None:
    frame = pl.DataFrame({"x": pl.Series([0, 255], dtype=pl.UInt8)})
    new = munge(frame, 100, np.random.default_rng(0), p=1, s=0.01, numeric=["x"])
    neighbours = pl.concat([frame.reverse()] * 100)
    assert (new == neighbours)["x"].mean() > 0.9
    assert new["x"].null_count() == 0


def test_numbers_stay_finite() -> None:
    frame = pl.DataFrame({"x": [-3e38, 0.5, 3e38], "y": pl.Series([-3e38, 0.5, 3e38], dtype=pl.Float32)})
    new = munge(frame, 100, np.random.default_rng(0), p=1, s=0.1, numeric=["x", "y"])
    assert new.select(pl.all().is_finite().all()).row(0) == (True, True)


def test_types_that_files_have_are_kept() -> None:
    frame = pl.DataFrame(
        {
            "price": pl.Series([Decimal("0.25"), Decimal("9.75"), None], dtype=pl.Decimal(6, 2)),
            "count": pl.Series([3, None, 2], dtype=pl.Int8),
            "same": [7, 7, 7],
            "nothing": pl.Series([None, None, None], dtype=pl.Float64),
            "size": pl.Series(["s", "l", None], dtype=pl.Enum(["s", "l"])),
            "colour": pl.Series(["red", "blue", "red"], dtype=pl.Categorical),
            "day": [date(2020, 1, 1), None, date(2021, 1, 1)],
        }
    )
    new = munge(frame, 10, np.random.default_rng(0), p=0.75, numeric=["price", "count", "same", "nothing"])
    assert new.schema == frame.schema
    assert new.height == 30
    assert (new["same"] == 7).all()
    assert new["nothing"].null_count() == 30


def test_the_same_generator_state_gives_the_same_rows_and_fewer_passes_the_first_of_them() -> None:
    frame = frame_of([(3, 1, None, True), (None, 2, "b", True)])
    first, again = (munge(frame, 4, np.random.default_rng(3), numeric=NUMERIC) for _ in range(2))
    assert_frame_equal(first, again)
    fewer = munge(frame, 2, np.random.default_rng(3), numeric=NUMERIC)
    assert_frame_equal(fewer, first.head(fewer.height))
    other = munge(frame, 4, np.random.default_rng(4), numeric=NUMERIC)
    assert not other.equals(first)


@pytest.mark.parametrize("times", [1, 5])
def test_rows_that_are_all_the_same_are_refused(times: int) -> None:
    frame = pl.DataFrame({"x": [1.5] * times, "word": [None] * times})
    with pytest.raises(KdError, match="at least two different rows") as raised:
        munge(frame, 1, np.random.default_rng(0), numeric=["x"])
    assert raised.value.hint
