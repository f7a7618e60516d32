import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from kdcli import show
from kdcli.stages.distill import SetMade
from kdcli.stats import Estimate


def test_spread_of_seeds() -> None:
    assert show._spread([0.5, 0.7], "{:.1f}", " %", 100) == "60.0 ± 14.1 %"
    assert show._spread([0.5], "{:.1f}", " %", 100) == "50.0 %"
    assert show._spread(3, "{:.0f}") == "3"
    assert show._spread([0.5, math.inf], "{:.1f}") == show._spread(math.inf, "{:.1f}") == "∞"


def test_a_narrow_table_keeps_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"accuracy": [0.9, 0.8], "errors": [1, 2], "nll": [0.5, 0.6], "leaves": [7, 8], "depth": [2, 3]}
    model = "tree:max_depth=2,max_leaf_nodes=4,min_samples_leaf=3"
    students = SetMade("x", Path("x"), model, [0, 1], False, "soft, T = 2, w = 0.5 (my.set)", metrics)
    table = show._score_table("scores", [students])
    show._student_rows(table, [students], [Estimate(0.85, 0.8, 0.9)])
    console = Console(width=80)
    console.print(table)
    out = capsys.readouterr().out
    assert "85.00 ± 5.00 %" in out  # the interval, not the spread of the seeds
    assert "0.5500 ± 0.0707" in out
    assert "…" not in out


def test_json_has_no_value_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    show.Screen(as_json=True).document({"nll": [0.5, math.inf]})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {"nll": [0.5, "Infinity"]}
    with pytest.raises(ValueError, match="JSON"):
        show.Screen(as_json=True).document({"x": math.nan})


def test_progress_shows_epoch_loss_and_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        show, "Console", lambda **options: Console(file=terminal, force_terminal=True, width=100)
    )
    with show.Screen().training("teacher", 50, "epoch") as report:
        report(25, 0.125)
    assert "teacher" in terminal.getvalue()
    assert "epoch 25/50" in terminal.getvalue()
    assert "loss 0.125" in terminal.getvalue()


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show.Screen().training("teacher", 50, "epoch") as report:
        report(25, 0.125)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")
