import io
import json
import math
import re
from collections.abc import Iterator

import pytest
from rich.console import Console

from kdcli.errors import Command
from kdcli.report import screen
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.told import File, Line, Told


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
    with screen.Screen().watch("teacher", 50, "epoch", 1) as report:
        report(25, 0.125)
    assert "teacher" in terminal.getvalue()
    assert "epoch 25/50" in terminal.getvalue()
    assert "loss 0.125" in terminal.getvalue()


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.Screen().watch("teacher", 50, "epoch", 1) as report:
        report(25, 0.125)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")


def test_progress_of_long_epochs_counts_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        screen, "console", lambda **options: Console(file=terminal, force_terminal=True, width=120)
    )
    with screen.Screen().watch("teacher", 5, "epoch", 1_563) as report:
        report(2 * 1_563 + 1_200, 0.125)
    assert "epoch 3/5, batch 1,200/1,563" in terminal.getvalue()


def test_a_training_that_goes_on_says_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with screen.Screen().watch("teacher", 500, "epoch", 1) as report:
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
    with screen.Screen().watch("teacher mlp:64,64", 300000, "epoch", 1) as report:
        report(300000, 0.125)
    drawn = re.sub(r"\x1b\[[\d?]*[a-zA-Z]", "", terminal.getvalue())
    lines = [line.strip() for line in re.split(r"[\r\n]+", drawn) if "epoch" in line]
    assert re.fullmatch(expected, lines[-1])


class _Made:
    """The result of a command: a line, a sentence, a table and a file."""

    def told(self) -> Iterator[Told]:
        yield "run tiny: a line as long as it is, so that a path can be copied"
        yield Line(("the same with ", Command("runs"), ", and wrapped where the terminal ends"), wrap=True)
        yield Table([Column("accuracy")], [Section([Row(Cell("labels"), [Cell(0.5, "%")])])])
        yield File("[data]\n")

    def document(self) -> dict[str, float]:
        return {"accuracy": 0.5}


def test_a_result_is_lines_and_tables_for_a_person(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    screen.Screen().show(_Made())
    assert capsys.readouterr().out.splitlines() == [
        "run tiny: a line as long as it is, so that a path can be copied",
        "the same with `kd runs`, and wrapped ",
        "where the terminal ends",
        "labels",
        "  accuracy: 50.00 %",
        "[data]",
    ]


def test_a_result_is_a_document_for_a_program_and_nothing_if_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen.Screen(as_json=True).show(_Made(), run="tiny")
    assert json.loads(capsys.readouterr().out) == {"accuracy": 0.5, "run": "tiny"}
    screen.Screen(quiet=True).show(_Made())
    assert capsys.readouterr().out == ""
