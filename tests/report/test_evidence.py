from dataclasses import replace

import pytest
from measured import evidence, students, teacher, values

from kdcli.evidence.costs import Cost
from kdcli.report.evidence import cost_table, means_table, metrics_table, recall_table, verdict_table
from kdcli.report.table import Row, Table
from kdcli.stats import Estimate

COST = Cost(
    parameters=20, multiply_adds=0, bytes=80, latency_ms=0.01, latency_p95_ms=0.02, latency_row_us=0.5
)
LARGE = Cost(
    parameters=4000,
    multiply_adds=3900,
    bytes=16_000,
    latency_ms=0.05,
    latency_p95_ms=0.05,
    latency_row_us=4.0,
)


def row(table: Table, title: str) -> Row:
    return next(row for row in table.rows() if row.title.text == title)


def test_the_table_has_references_first_then_each_group_with_its_control() -> None:
    sets = [
        students(target, 0.8, model=model) for model in ("mlp:4", "mlp:3") for target in ("soft", "labels")
    ]
    table = metrics_table(evidence(*sets, teacher=teacher()))
    assert [(s.title, [r.title.text for r in s.rows]) for s in table.sections] == [
        ("", ["teacher"]),
        ("mlp:4", ["labels", "soft, T = 4"]),
        ("mlp:3", ["labels", "soft, T = 4"]),
    ]
    assert [r.role for r in table.sections[1].rows] == ["control", ""]


def test_cells_hold_value_interval_and_comparison() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9))
    table = verdict_table(made, metrics_table(made))
    assert [column.title for column in table.columns] == ["accuracy", "NLL (nats)"]
    assert {column.control for column in table.columns} == {"labels"}
    cell = row(table, "soft, T = 4").cells[0]
    soft = made.students[1]
    assert (cell.value, *(cell.interval or ())) == tuple(soft.estimates["accuracy"])
    assert cell.per_seed == soft.per_seed["accuracy"]
    assert cell.versus is soft.versus["accuracy"]


@pytest.mark.parametrize(
    ("drawing", "tests"), [("sampled", "400 each"), ("split", "400 each"), ("test kept", "400")]
)
def test_the_table_of_several_draws_says_so_and_has_a_column_for_them(drawing: str, tests: str) -> None:
    sets = students("labels", [0.8, 0.81, 0.79]), students("soft", [0.9, 0.9, 0.78])
    made = evidence(*sets, drawing=drawing)
    table = verdict_table(made, metrics_table(made))
    size, *each = tests.split()
    title = f"tiny: 3 draws × 5 seeds, {size} test examples"
    assert table.title == " ".join([title, *each]) + ", ± is half of a 95 % interval"
    assert all(column.draws for column in table.columns)
    assert [r.cells[0].draws for r in table.rows()] == ["", "+ in 2/3"]
    one = evidence(students("labels", 0.8), students("soft", 0.9))
    of_one_draw = verdict_table(one, metrics_table(one))
    assert not any(column.draws for column in of_one_draw.columns)
    assert [r.cells[0].draws for r in of_one_draw.rows()] == ["", ""]


def test_a_set_without_control_says_so() -> None:
    made = evidence(
        students("labels", values(0.8)), students("hard", values(0.8)), students("soft", 0.7, seeds=3)
    )
    table = verdict_table(made, metrics_table(made))
    assert row(table, "soft, T = 4").cells[0].verdict == ("no control", "")
    assert table.title.startswith("tiny: 3 or 5 seeds, 400 test examples")


def test_other_metrics_are_means_without_verdicts() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9))
    assert means_table(made, metrics_table(made)) is None


def test_the_recall_of_each_class_is_shown_and_of_many_those_where_it_is_lowest() -> None:
    assert recall_table(evidence(students("labels", 0.8))) is None
    made = evidence(students("labels", 0.8), teacher=teacher())
    recalls = [Estimate(k / 20, k / 20 - 0.01, k / 20 + 0.01) for k in range(12, 0, -1)]
    assert made.teacher
    made = replace(
        made,
        description=replace(made.description, classes=tuple("abcdefghijkl")),
        teacher=replace(made.teacher, recall=recalls),
        students=[replace(each, recall=recalls[::-1]) for each in made.students],
    )
    table = recall_table(made)
    assert table is not None
    assert table.title == "recall of the 10 classes where it is lowest"
    assert [column.title for column in table.columns] == list("cdefghijkl")
    assert row(table, "teacher").cells[0].text == "50.00 ± 1.00 %"
    assert row(table, "labels").cells[0].text == "15.00 ± 1.00 %"


def test_costs_are_set_against_the_teachers() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9), teacher=teacher())
    table = cost_table(made, LARGE, {"labels-mlp4": COST, "soft-T4-mlp4": COST})
    assert [r.title.text for r in table.rows()] == ["mlp:8", "mlp:4"]
    cells = row(table, "mlp:4").cells
    assert [cell.text for cell in cells] == ["20", "0", "80 B", "0.010 ms", "0.500 µs"]
    assert [list(cell.below) for cell in cells] == [["1/200"], [], ["1/200"], ["0.20"], ["0.12"]]
    other = Cost(
        parameters=30, multiply_adds=0, bytes=120, latency_ms=0.01, latency_p95_ms=0.02, latency_row_us=0.5
    )
    table = cost_table(made, None, {"labels-mlp4": COST, "soft-T4-mlp4": other})
    assert [r.title.text for r in table.rows()] == ["mlp:4: labels", "mlp:4: soft, T = 4"]


def test_rows_of_costs_that_differ_are_told_apart_by_transfer_set() -> None:
    sets = [
        students(target, 0.8, transfer=transfer, model="tree:max_depth=3")
        for transfer in ("train:100", "train:100+munge:2")
        for target in ("labels", "soft")
    ]
    made = evidence(*sets)
    costs = {students.name: replace(COST, parameters=k) for k, students in enumerate(made.students)}
    titles = [r.title.text for r in cost_table(made, None, costs).rows()]
    assert sorted(titles) == [
        "tree:max_depth=3: labels, n = 100",
        "tree:max_depth=3: labels, n = 100 + munge:2",
        "tree:max_depth=3: soft, T = 4, n = 100",
        "tree:max_depth=3: soft, T = 4, n = 100 + munge:2",
    ]
