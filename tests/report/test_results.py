import math
from pathlib import Path

import pytest
from harness import Kd
from rich.console import Console

from kdcli.report import results
from kdcli.stages.distill import SetMade


def test_spread_of_seeds() -> None:
    assert results._spread([0.5, 0.7], "{:.1f}", " %", 100) == "60.0 (14.1) %"
    assert results._spread([0.5], "{:.1f}", " %", 100) == "50.0 %"
    assert results._spread(3, "{:.0f}") == "3"
    assert results._spread([0.5, math.inf], "{:.1f}") == results._spread(math.inf, "{:.1f}") == "∞"


def test_a_narrow_table_keeps_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"accuracy": [0.9, 0.8], "errors": [1, 2], "nll": [0.5, 0.6], "leaves": [7, 8], "depth": [2, 3]}
    model = "tree:max_depth=2,max_leaf_nodes=4,min_samples_leaf=3"
    title = "soft, T = 2, w = 0.5 (my.set)"
    students = SetMade("x", Path("x"), model, [0, 1], {}, [], up_to_date=False, title=title, metrics=metrics)
    table = results._score_table("scores", [students])
    results._student_rows(table, [students])
    console = Console(width=80)
    console.print(table)
    out = capsys.readouterr().out
    assert "85.00 (7.07) %" in out
    assert "0.5500 (0.0707)" in out
    assert "…" not in out


def test_a_plus_minus_is_always_an_interval_and_the_tables_say_so(kd: Kd, tiny: Path) -> None:
    distilled, compared = kd("distill").out, kd("compare").out
    assert distilled.splitlines()[1].strip() == "students on the test split, mean (sd) over seeds"
    assert "±" not in distilled
    assert "±" in compared.partition("other metrics")[0].partition("\n")[2]
    assert compared.partition("\n")[0].strip() == "tiny: 2 seeds, 400 test examples, ± is a 95 % interval"
