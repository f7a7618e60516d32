import math

import pytest
from measured import evidence, students

from kdcli.evidence.verdicts import Versus
from kdcli.report.evidence import metrics_table
from kdcli.report.table import Cell


def test_a_value_is_written_with_its_interval_and_with_both_ends_where_they_differ() -> None:
    assert Cell(0.98, "%", (0.96, 1.0)).text == "98.00 ± 2.00 %"
    assert Cell(0.99, "%", (0.96, 1.0)).text == "99.00 [96.00, 100.00] %"
    assert Cell("moons").text == "moons"
    assert Cell().text == ""


def test_a_difference_and_its_verdict() -> None:
    versus = Versus("accuracy", "labels", True, 0.0315, 5, (0.0278, 0.0352), verdict="better")
    cell = Cell(0.9, "%", versus=versus)
    assert (cell.difference, cell.verdict) == ("+3.15 ± 0.37", ("better", "good"))
    unpaired = Versus("accuracy", "labels", False, 0.0, 5, (-0.01, 0.01), verdict="no difference shown")
    assert Cell(0.9, "%", versus=unpaired).verdict == ("inconclusive, unpaired", "")


def test_a_cell_says_in_how_many_draws_the_difference_goes_the_way_of_the_mean() -> None:
    several = Versus("accuracy", "labels", True, 0.02, 2, by_draw=(0.05, -0.01, 0.02))
    assert Cell(0.9, "%", versus=several).draws == "+ in 2/3"
    lower = Versus("nll", "labels", True, -0.02, 2, by_draw=(-0.05, 0.01, -0.02, -0.02))
    assert Cell(0.3, "nats", versus=lower).draws == "− in 3/4"
    endless = Versus("nll", "labels", True, -math.inf, 2, by_draw=(-math.inf, 0.1, -0.02))
    assert Cell(0.3, "nats", versus=endless).draws == "− in 2/3"


def test_a_cell_of_one_draw_or_of_no_difference_has_no_count_of_draws() -> None:
    assert Cell(0.9, "%", versus=Versus("accuracy", "labels", True, 0.02, 2, by_draw=(0.02,))).draws == ""
    both = Versus("nll", "labels", True, None, 2, by_draw=(math.nan, 0.1))
    assert Cell(math.inf, "nats", versus=both).draws == ""
    same = Versus("accuracy", "labels", True, 0.0, 2, by_draw=(0.1, -0.1))
    assert Cell(0.9, "%", versus=same).draws == ""
    assert Cell(0.9, "%").draws == ""


@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_that_is_shown_as_0_has_no_count_of_draws(sign: int) -> None:
    def cell(size: float) -> Cell:
        difference = sign * size
        interval = (difference - 1e-5, difference + 1e-5)
        versus = Versus("nll", "labels", True, difference, 2, interval, by_draw=[difference] * 3)
        return Cell(0.3, "nats", versus=versus)

    assert (cell(4e-5).difference, cell(4e-5).draws) == ("0.0000 ± 0.0000", "")
    mark = "+" if sign > 0 else "−"
    assert (cell(6e-5).difference, cell(6e-5).draws) == (f"{mark}0.0001 ± 0.0000", f"{mark} in 3/3")


def test_without_a_verdict_a_cell_says_what_is_in_the_way() -> None:
    few = Versus("nll", "labels", True, 0.1, 1, why="one seed: the spread between trainings is unknown")
    assert Cell(0.3, "nats", versus=few).verdict == ("one seed", "")
    none = Versus("nll", "labels", True, 0.1, 2, why="no variation among the 1 examples measured")
    assert Cell(0.3, "nats", versus=none).verdict == ("no verdict", "")
    assert Cell(0.3, "nats", note="no control").verdict == ("no control", "")
    endless = Versus("nll", "labels", True, None, 5, verdict="no difference shown", why="infinite for both")
    both = Cell(math.inf, "nats", versus=endless)
    assert (both.difference, both.verdict) == ("both ∞", ("", ""))
    lost = Versus("nll", "labels", True, None, 0, why="no seed in common: …")
    assert Cell(0.3, "nats", versus=lost).difference == ""
    assert Cell(0.3, "nats", versus=lost).verdict == ("no seed in common", "")


def test_a_part_of_a_table_keeps_its_rows_and_the_order_that_is_asked_for() -> None:
    table = metrics_table(evidence(students("labels", 0.8), students("soft", 0.9)))
    part = table.only(["nll", "accuracy"])
    assert [column.key for column in part.columns] == ["nll", "accuracy"]
    assert [row.title.text for row in part.rows()] == ["labels", "soft, T = 4"]
    assert all(len(row.cells) == 2 for row in part.rows())
