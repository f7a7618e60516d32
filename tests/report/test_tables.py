import pytest
from rich.table import Table
from rich.text import Text

from kdcli.report import tables


def _table(adds: str = "12\n1/40") -> Table:
    table = Table(title="scores, ± is a 95 % interval")
    table.add_column("")
    table.add_column("accuracy", justify="right", no_wrap=True)
    table.add_column("multiply-\nadds", justify="right", no_wrap=True)
    table.add_row(Text("mlp:4", style="bold"))
    table.add_row("  labels", "97.65 ± 0.21 %", Text(adds))
    return table


def test_a_narrow_terminal_gets_a_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    tables.draw(_table())
    assert capsys.readouterr().out.splitlines() == [
        "scores, ± is a 95 % interval",
        "mlp:4",
        "  labels",
        "    accuracy: 97.65 ± 0.21 %",
        "    multiply-adds: 12, 1/40",
    ]
    monkeypatch.setenv("COLUMNS", "20")
    tables.draw(_table())
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
    tables.draw(_table())
    assert "┃" in capsys.readouterr().out
    tables.draw(_table("12, and a word that goes on and on"))
    assert "    multiply-adds: 12, and a word that goes on and on" in capsys.readouterr().out.splitlines()


def test_a_mark_stands_before_the_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = Table("", "run", "dataset")
    table.add_row("*", "first", "moons")
    table.add_row("", "second", "digits")
    tables.draw(table)
    out = capsys.readouterr().out.splitlines()
    assert out == ["* first", "  dataset: moons", "second", "  dataset: digits"]
