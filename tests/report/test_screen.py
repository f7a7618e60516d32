import io
import json
import math
import re

import pytest
from rich.console import Console

from kdcli.report import screen


def test_json_has_no_value_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    screen.Screen(as_json=True).document({"nll": [0.5, math.inf]})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {"nll": [0.5, "Infinity"]}
    with pytest.raises(ValueError, match="JSON"):
        screen.Screen(as_json=True).document({"x": math.nan})


def test_progress_shows_epoch_loss_and_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        screen, "console", lambda **options: Console(file=terminal, force_terminal=True, width=100)
    )
    with screen.Screen().training("teacher", 50, "epoch", 1) as report:
        report(25, 0.125)
    assert "teacher" in terminal.getvalue()
    assert "epoch 25/50" in terminal.getvalue()
    assert "loss 0.125" in terminal.getvalue()


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.Screen().training("teacher", 50, "epoch", 1) as report:
        report(25, 0.125)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")


def test_progress_of_long_epochs_counts_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        screen, "console", lambda **options: Console(file=terminal, force_terminal=True, width=120)
    )
    with screen.Screen().training("teacher", 5, "epoch", 1_563) as report:
        report(2 * 1_563 + 1_200, 0.125)
    assert "epoch 3/5, batch 1,200/1,563" in terminal.getvalue()


def test_a_training_that_goes_on_says_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with screen.Screen().training("teacher", 500, "epoch", 1) as report:
        report.resumed(212)
    assert capsys.readouterr().err == "resuming at epoch 212\n"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (100, r"teacher mlp:64,64 ━+ epoch 300000/300000 loss 0.125 [\d:-]+"),
        (70, r"teacher mlp:64,64 epoch 300000/300000 loss 0.125 [\d:-]+"),
        (60, r"epoch 300000/300000 loss 0.125 [\d:-]+"),
        (40, r"epoch 300000/300000 loss 0.125"),
        (20, r"epoch 300000/300000"),
    ],
)
def test_progress_in_a_narrow_terminal_cuts_no_number(
    monkeypatch: pytest.MonkeyPatch, width: int, expected: str
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        screen,
        "console",
        lambda **options: Console(file=terminal, force_terminal=True, width=width, color_system=None),
    )
    with screen.Screen().training("teacher mlp:64,64", 300000, "epoch", 1) as report:
        report(300000, 0.125)
    drawn = re.sub(r"\x1b\[[\d?]*[a-zA-Z]", "", terminal.getvalue())
    lines = [line.strip() for line in re.split(r"[\r\n]+", drawn) if "epoch" in line]
    assert re.fullmatch(expected, lines[-1])
