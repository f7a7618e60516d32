import numpy as np
import pytest
from exporting import COLUMNS, leaving, stacks, training_rows

from kdcli.data.tables.applying import applied
from kdcli.data.tables.encoding import Encoded
from kdcli.exports.made import ANOTHER, another, at_thresholds, made, made_features, rows_of, table_of
from kdcli.exports.proof import at_edges


def encoded(rows: list[list[object]], columns: tuple[Encoded, ...] = COLUMNS) -> np.ndarray:
    return np.asarray(applied(table_of(columns, rows), columns).numpy())


def test_rows_that_are_turned_back_have_their_features() -> None:
    x = training_rows()
    assert len(np.unique(x, axis=0)) > 50
    np.testing.assert_array_equal(encoded(rows_of(COLUMNS, x)), x)


@pytest.mark.parametrize(
    "column",
    [
        Encoded("a", "date", format=""),
        Encoded("a", "date", format="%Y-%m-%dT%H:%M:%S%.f", missing=True),
        Encoded("a", "date", format="%Y/%m/%d"),
        Encoded("a", "category", levels=(), missing=True),
        Encoded("a", "category", levels=("another", "another-"), others=True),
        Encoded("a", "yes/no", missing=True),
        Encoded("a", "yes/no", numeric=True),
        Encoded("a", "category", levels=("1", "2.5", "-7"), others=True, missing=True, numeric=True),
    ],
)
def test_columns_of_all_kinds_are_turned_back(column: Encoded) -> None:
    spread = np.linspace(10_000, 20_000, 40, dtype=np.float32).reshape(-1, 1)
    spread = np.repeat(spread, max(1, len(column.features)), 1)
    rows = made((column,), spread, 40, np.random.default_rng(0))
    x = encoded(rows, (column,))
    np.testing.assert_array_equal(encoded(rows_of((column,), x), (column,)), x)


def test_each_column_is_drawn_alone_and_rounded() -> None:
    columns = (Encoded("salary", "number"), Encoded("twice", "number"), Encoded("whole", "number"))
    salary = np.random.default_rng(0).normal(50_000.123, 9_000, 500).astype(np.float32)
    x = np.stack([salary, 2 * salary, np.round(salary)], 1)
    rows = made(columns, x, 2_000, np.random.default_rng(1))
    values = np.array(rows)
    assert not set(values[:, 0]) & set(salary.tolist())  # which have more digits than made ones
    assert {len(f"{value:.8g}".strip("0").replace(".", "")) for value in values[:, 0]} <= {1, 2, 3}
    assert abs(np.corrcoef(values[:, 0], values[:, 1])[0, 1]) < 0.1
    assert (values[:, 2] == np.round(values[:, 2])).all()
    low, high = np.quantile(salary, [0.05, 0.95])
    assert values[:, 0].min() > low - 100
    assert values[:, 0].max() < high + 100


def test_values_are_missing_where_some_may_be() -> None:
    rows = made(COLUMNS, training_rows(), 500, np.random.default_rng(1))
    lacking = [any(row[k] is None for row in rows) for k in range(len(COLUMNS))]
    assert lacking == [column.missing for column in COLUMNS]
    assert {row[1] for row in rows} == {"basic", "plus", ANOTHER}


def test_made_pixels_are_drawn_alone_from_what_each_has() -> None:
    x = np.array([[0, 7], [1, 7], [2, 9]], dtype=np.float32)
    drawn = made_features(x, 200, np.random.default_rng(0))
    assert set(map(tuple, drawn.tolist())) == {(a, b) for a in (0, 1, 2) for b in (7, 9)}


def test_another_category_is_none_of_the_levels() -> None:
    column = Encoded("a", "category", levels=(ANOTHER, f"{ANOTHER}-", f"{ANOTHER}---"))
    assert another(column) == f"{ANOTHER}--"
    assert another(Encoded("a", "category", levels=("7", "12", "-3.5"), numeric=True)) == "13"


def test_examples_stand_on_thresholds_and_beside_them() -> None:
    student = leaving(stacks()["tree"])
    trees = student.computation.trees
    assert trees is not None
    edges = at_edges(student, np.random.default_rng(0))
    measured = {0}  # "age": all other features are 0 or 1, or follow from a date
    thresholds = {t for f, t in zip(trees.feature, trees.threshold, strict=True) if f in measured}
    assert thresholds
    expected = {np.nextafter(t, np.float32(end)) for t in thresholds for end in (-9, t, 9)}
    assert set(edges[:, 0].tolist()) == set(map(float, expected))


def test_not_more_thresholds_than_asked_for() -> None:
    trees = stacks()["forest"].computation.trees
    assert trees is not None
    x, measured = training_rows(), np.ones(training_rows().shape[1], dtype=bool)
    assert len(at_thresholds(trees, measured, x, 4, np.random.default_rng(0))) == 12
