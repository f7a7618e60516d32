import math
from dataclasses import dataclass

import pytest
from harness import Kd

from kdcli.report.layout import draw
from kdcli.report.scores import score_table, spread


@dataclass(frozen=True)
class Scores:
    title: str
    model: str
    metrics: dict[str, list[list[float]]]


def test_spread_of_seeds() -> None:
    assert spread([0.5, 0.7], "{:.1f}", " %", 100) == "60.0 (14.1) %"
    assert spread([0.5], "{:.1f}", " %", 100) == "50.0 %"
    assert spread([0.5, math.inf], "{:.1f}") == spread([math.inf], "{:.1f}") == "∞"


def test_a_narrow_table_keeps_its_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics: dict[str, list[list[float]]] = {
        "accuracy": [[0.9, 0.8]],
        "errors": [[1, 2]],
        "nll": [[0.5, 0.6]],
        "leaves": [[7, 8]],
        "depth": [[2, 3]],
    }
    model = "tree:max_depth=2,max_leaf_nodes=4,min_samples_leaf=3"
    monkeypatch.setenv("COLUMNS", "80")
    draw(score_table([Scores("soft, T = 2, w = 0.5 (my.set)", model, metrics)]))
    out = capsys.readouterr().out
    assert "85.00 (7.07) %" in out
    assert "0.5500 (0.0707)" in out
    assert "…" not in out


def test_scores_of_several_draws_are_means_over_all_students() -> None:
    scored = Scores(
        "labels", "mlp:4", {"accuracy": [[0.9], [0.8]], "errors": [[1], [2]], "nll": [[1.0], [1.0]]}
    )
    table = score_table([scored])
    assert table.title == "students on the test split, mean (sd) over draws and seeds"
    (row,) = table.rows()
    assert [cell.text for cell in row.cells] == ["85.00 (7.07) %", "2 (1)", "1.0000 (0.0000)"]


def test_a_plus_minus_is_always_an_interval_and_the_tables_say_so(kd: Kd, tiny: object) -> None:
    distilled, compared = kd("distill").out, kd("compare", "--full").out
    assert distilled.splitlines()[1].strip() == "students on the test split, mean (sd) over seeds"
    assert "±" not in distilled
    (title,) = (line for line in compared.splitlines() if line.startswith("tiny: "))
    assert title.strip() == "tiny: 2 seeds, 400 test examples, ± is half of a 95 % interval"
    verdicts, _, others = compared.partition(title)[2].partition("other metrics")
    assert "±" in verdicts
    assert "±" not in others.partition("± is half of a 95 % interval over")[0]


def test_numbers_that_describe_models_are_whole_where_all_of_them_are() -> None:
    metrics = {"accuracy": [[0.9, 0.8]], "nll": [[1.0, 1.0]], "leaves": [[7, 8]], "shrink": [[0.1, 10.0]]}
    (row,) = score_table([Scores("labels", "tree:shrink=auto", metrics)]).rows()
    assert [cell.text for cell in row.cells[2:]] == ["8", "5.0"]
