import json
import re
from pathlib import Path

import pytest
from customers import customers
from harness import Kd

DRAWN = [
    "learning-curves",
    "decision-boundaries",
    "differences",
    "reliability",
    "accuracy-by-agreement",
    "cost-accuracy",
    "confusion-matrices",
]


def test_one_file_in_the_run_with_all_figures_that_apply(kd: Kd, tiny: Path) -> None:
    document = json.loads(kd("report", "--json").out)
    path = Path(document["path"])
    assert path == tiny / "report.html"
    assert document["size"] == path.stat().st_size < 3e6
    assert document["figures"] == DRAWN
    text = path.read_text(encoding="utf-8")
    for name in DRAWN:
        assert f'aria-labelledby="{name}-title"' in text
    assert "metrics-by-temperature: " in re.sub("<[^>]+>", "", text)
    assert set(document["left_out"]) >= {"metrics-by-temperature", "draws"}


def test_a_person_is_told_where_it_is(kd: Kd, tiny: Path) -> None:
    outcome = kd("report", "tiny")
    assert outcome.code == 0
    assert re.match(
        r"tiny: a report with 7 figures, [\d.]+ kB\nwrote outputs/tiny/report.html\n", outcome.out
    )


def test_the_same_run_gives_the_same_report_but_for_what_is_timed(kd: Kd, tiny: Path) -> None:
    reports = []
    for _ in range(2):
        kd("report")
        text = (tiny / "report.html").read_text(encoding="utf-8")
        reports.append(re.sub('<section id="costs">.*?</section>', "", text, flags=re.DOTALL))
    assert reports[0] == reports[1]


def test_what_shows_rows_of_ones_own_data_is_left_out(kd: Kd, outputs: Path) -> None:
    customers()
    kd("gen-data", "customers.csv", "--label", "left", "--draws", "1", "--drop", "plan,spent,customerID")
    kd("train-teacher", "--model", "mlp:4", "--epochs", "3")
    kd("distill", "--target", "labels,soft", "--model", "mlp:2", "--epochs", "3", "--seeds", "2")
    assert "decision-boundaries" not in json.loads(kd("plot", "--json").out)["left_out"]  # of two columns
    left_out = json.loads(kd("report", "--json").out)["left_out"]
    assert left_out["decision-boundaries"] == left_out["disagreements"]
    assert "shows single rows or images" in left_out["disagreements"]


@pytest.mark.parametrize("option", [(), ("--open",)])
def test_it_opens_where_that_is_asked_for(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    assert kd("report", *option).code == 0
    assert opened == ([str(tiny / "report.html")] if option else [])


def test_without_students_it_says_what_is_missing(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "gaussians", "--n-samples", "60", "--n-test", "60")
    outcome = kd("report")
    assert outcome.code == 1
    assert "kd distill" in outcome.err
    assert not (outputs / "gaussians" / "report.html").exists()
