import math
import re

import pytest
import torch
from measured import evidence, students

from kdcli.report import layout
from kdcli.report.evidence import metrics_table, verdict_table
from kdcli.report.table import Cell, Column, Row, Section, Table


def _table(below: str = "1/40") -> Table:
    cells = [Cell(0.9765, "%", (0.9744, 0.9786)), Cell(12, "count", below=[below])]
    columns = [Column("accuracy"), Column("multiply-\nadds")]
    section = Section([Row(Cell("labels"), cells)], "mlp:4")
    return Table(columns, [section], "scores, ± is a 95 % interval")


def test_a_narrow_terminal_gets_a_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    layout.draw(_table())
    assert capsys.readouterr().out.splitlines() == [
        "scores, ± is a 95 % interval",
        "mlp:4",
        "  labels",
        "    accuracy: 97.65 ± 0.21 %",
        "    multiply-adds: 12, 1/40",
    ]
    monkeypatch.setenv("COLUMNS", "20")
    layout.draw(_table())
    assert capsys.readouterr().out.splitlines()[3:] == [
        "    accuracy:",
        "      97.65 ± 0.21 %",
        "    multiply-adds:",
        "      12, 1/40",
    ]


def test_a_table_whose_numbers_do_not_fit_is_a_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    layout.draw(_table())
    assert "┃" in capsys.readouterr().out
    layout.draw(_table("and a word that goes on and on"))
    assert "    multiply-adds: 12, and a word that goes on and on" in capsys.readouterr().out.splitlines()


def test_a_mark_stands_before_the_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Row(Cell("first"), [Cell("moons")], mark="*"), Row(Cell("second"), [Cell("digits")])]
    table = Table([Column("dataset", left=True)], [Section(rows)], head=Column("run", left=True, folds=True))
    monkeypatch.setenv("COLUMNS", "40")
    layout.draw(table)
    out = capsys.readouterr().out.splitlines()
    assert out == ["* first", "  dataset: moons", "second", "  dataset: digits"]
    monkeypatch.setenv("COLUMNS", "80")
    layout.draw(table)
    out = capsys.readouterr().out
    assert "│ * first  │" in out
    assert "│   second │" in out


@pytest.mark.parametrize(
    ("columns", "tables", "wide"), [("150", 1, True), ("80", 1, False), ("60", 2, False)]
)
def test_verdicts_stand_abreast_or_below_or_the_table_is_split(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, tables: int, wide: bool
) -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9))
    monkeypatch.setenv("COLUMNS", columns)
    layout.draw(verdict_table(made, metrics_table(made)))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= int(columns)
    assert out.count("tiny: 5 seeds, 400 test examples") == tables
    assert ("verdict" in out) is wide
    assert "inconclusive" in out if wide else "inconcl." in out
    assert "+10.00 ± " in out


def _drawn_over_draws(capsys: pytest.CaptureFixture[str]) -> str:
    made = evidence(students("labels", [0.8, 0.81, 0.79]), students("soft", [0.9, 0.91, 0.78]))
    layout.draw(verdict_table(made, metrics_table(made)))
    return capsys.readouterr().out


def test_the_draws_have_a_column_of_their_own_where_there_is_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    lines = [re.split(" *[┃│] *", line)[1:-1] for line in _drawn_over_draws(capsys).splitlines()]
    head, soft = lines[2], lines[6]
    assert head[1:5] == ["accuracy", "vs labels", "draws", "verdict"]
    assert soft[0] == "soft, T = 4"
    assert re.fullmatch(r"\+6.33 ± \S+", soft[2])
    assert soft[3:5] == ["+ in 2/3", "inconclusive"]
    assert lines[5][1:5] == ["80.00 ± 2.48 %", "", "", ""]  # of the control


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("110", r"\+6.33 ± \S+ inconcl., \+ in 2/3 │"),
        ("80", r"│ +\+ in 2/3 │"),
        ("40", r"^    draws: \+ in 2/3$"),
    ],
)
def test_the_draws_stand_below_where_there_is_less_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, words: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    out = _drawn_over_draws(capsys)
    _, *lines = out.splitlines()
    assert any(re.search(words, line) for line in lines)
    assert max(map(len, lines)) <= int(columns)
    title = "tiny: 3 draws × 5 seeds, 400 test examples each, ± is half of a 95 % interval "
    assert " ".join(out.split()).startswith(title)  # which is folded at the table's width


@pytest.mark.parametrize(
    ("columns", "words"),
    [("150", r"│ +∞ │ +both ∞ │ +│ +│$"), ("80", r"│ +both ∞ │$"), ("40", r"^    vs labels: both ∞$")],
)
def test_where_both_are_infinite_there_is_neither_a_verdict_nor_a_count_of_draws(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, words: str
) -> None:
    endless = torch.full((5, 400), math.inf, dtype=torch.float64)
    made = evidence(students("labels", [0.8, 0.81], endless), students("soft", [0.9, 0.95], endless))
    monkeypatch.setenv("COLUMNS", columns)
    layout.draw(verdict_table(made, metrics_table(made)))
    *_, soft = capsys.readouterr().out.partition("soft, T = 4")
    assert any(re.search(words, line) for line in soft.splitlines())
    assert len(re.findall(r"better|inconcl", soft)) == 1  # on accuracy alone
    assert len(re.findall("in ./2", soft)) == 1
