import io
import json
import math

import pytest
from rich.console import Console

from kdcli.show import screen


def test_json_has_no_value_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    screen.Screen(as_json=True).document({"nll": [0.5, math.inf]})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {"nll": [0.5, "Infinity"]}
    with pytest.raises(ValueError, match="JSON"):
        screen.Screen(as_json=True).document({"x": math.nan})


def test_progress_shows_epoch_loss_and_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        screen, "Console", lambda **options: Console(file=terminal, force_terminal=True, width=100)
    )
    with screen.Screen().training("teacher", 50, "epoch") as report:
        report(25, 0.125)
    assert "teacher" in terminal.getvalue()
    assert "epoch 25/50" in terminal.getvalue()
    assert "loss 0.125" in terminal.getvalue()


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.Screen().training("teacher", 50, "epoch") as report:
        report(25, 0.125)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")
