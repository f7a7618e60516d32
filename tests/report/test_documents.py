import csv
import io
import json
import math
from typing import Any

import pytest
import torch
from measured import evidence, student_set, students, teacher

from kdcli.errors import Command
from kdcli.evidence.cautions import cautions
from kdcli.evidence.conclusions import Conclusions
from kdcli.evidence.costs import Cost
from kdcli.evidence.findings import findings
from kdcli.evidence.gather import Evidence, StaleSet
from kdcli.report.documents import as_csv, document
from kdcli.store import to_json

COST = Cost(
    parameters=20, multiply_adds=16, bytes=80, latency_ms=0.01, latency_p95_ms=0.02, latency_row_us=0.5
)


def concluded(made: Evidence) -> Conclusions:
    costs = {measured.name: COST for measured in made.students}
    return Conclusions(made, findings(made), cautions(made), COST if made.teacher else None, costs)


@pytest.fixture
def made() -> Evidence:
    stale = StaleSet("students/hard-mlp4", "hard-mlp4", student_set("hard"), Command("distill"))
    sets = students("labels", 0.8), students("smooth", 0.85), students("soft", 0.9, diverged=[1])
    return evidence(*sets, teacher=teacher(), stale=[stale])


@pytest.fixture
def over_draws() -> Evidence:
    sets = students("labels", [0.8, 0.81, 0.79]), students("soft", [0.9, 0.9, 0.87])
    return evidence(*sets, teacher=teacher([0.9, 0.95, 0.85]))


def test_the_document_of_the_design(made: Evidence) -> None:
    whole = document(concluded(made))
    assert list(whole) == [
        "run",
        "draws",
        "finding",
        "dataset",
        "bayes_on_test",
        "teacher",
        "control",
        "students",
        "attributions",
        "new_examples",
        "sentences",
        "warnings",
    ]
    assert whole["finding"].startswith("On these training data, soft labels at T = 4 with 4 of 5 seeds help")
    assert whole["dataset"]["n_test"] == 400
    assert whole["bayes_on_test"] is None
    assert whole["draws"] == 1
    assert set(whole["teacher"]) == {"model", "metrics", "by_draw", "cost"}
    assert whole["teacher"]["metrics"]["accuracy"] == pytest.approx(0.9)
    assert whole["sentences"]["mlp:4"]
    assert all(isinstance(warning, str) for warning in whole["warnings"])


def test_a_student_set_in_the_document(made: Evidence) -> None:
    control, _, soft, stale = document(concluded(made))["students"]
    assert (control["name"], control["versus"]) == ("labels-mlp4", None)
    assert (soft["target"], soft["temperature"], soft["seeds"]) == ("soft", 4.0, 4)
    assert (soft["seed_numbers"], soft["diverged"], soft["stale"]) == ((0, 2, 3, 4), (1,), False)
    assert "group" not in soft
    estimate = made.students[2].estimates["accuracy"]
    assert soft["metrics"]["accuracy"]["mean"] == estimate.mean
    assert soft["metrics"]["accuracy"]["ci95"] == (estimate.low, estimate.high)
    (of_seeds,) = soft["metrics"]["accuracy"]["per_seed"]
    assert len(of_seeds) == 4
    assert soft["metrics"]["accuracy"]["by_draw"] == pytest.approx([estimate.mean])
    versus = soft["versus"]
    assert (versus["control"], versus["paired"]) == ("labels-mlp4", True)
    assert set(versus["accuracy"]) == {
        "difference",
        "seeds",
        "ci95",
        "by_draw",
        "another_draw",
        "p_value",
        "p_holm",
        "verdict",
        "detectable",
    }
    assert versus["accuracy"]["verdict"] == "better"
    assert versus["accuracy"]["by_draw"] == pytest.approx([versus["accuracy"]["difference"]])
    assert versus["accuracy"]["another_draw"] is None
    assert versus["nll"]["verdict"] == "no difference shown"
    assert (stale["name"], stale["stale"], stale["metrics"], stale["cost"]) == ("hard-mlp4", True, {}, None)


def test_a_chosen_temperature_is_told_as_such() -> None:
    soft = students("soft", 0.9, temperature="auto", chosen=2.0)
    whole = concluded(evidence(students("labels", 0.8), soft))
    told = document(whole)
    assert told["finding"].startswith("On these training data, soft labels at T = 2 (auto) help")
    assert any(
        sentence.startswith("Soft at T = 2 (auto) beats labels") for sentence in told["sentences"]["mlp:4"]
    )
    rows = list(csv.DictReader(io.StringIO(as_csv(whole))))
    for made in (told["students"], rows):
        temperatures = {
            row["name"]: (float(row["temperature"]), str(row["auto_temperature"])) for row in made
        }
        assert temperatures == {"labels-mlp4": (1.0, "False"), "soft-Tauto-mlp4": (2.0, "True")}


def test_an_attribution_in_the_document(made: Evidence) -> None:
    (gain,) = document(concluded(made))["attributions"]
    assert (gain["students"], gain["metric"], gain["seed_numbers"]) == (
        "soft-T4-mlp4",
        "accuracy",
        [0, 2, 3, 4],
    )
    (share,) = gain["shares"]
    assert (share["by"], share["verdict"]) == ("smooth-e0.1-mlp4", "better")
    assert share["gain"] + share["beyond"]["difference"] == pytest.approx(gain["gain"])


def test_the_document_has_every_draw(over_draws: Evidence) -> None:
    whole = document(concluded(over_draws))
    assert whole["draws"] == 3
    assert whole["finding"].startswith("Over 3 draws, soft labels at T = 4 help mlp:4, by ")
    reference = whole["teacher"]
    assert reference["metrics"]["accuracy"] == pytest.approx(0.9)
    assert reference["by_draw"]["accuracy"] == pytest.approx([0.9, 0.95, 0.85])
    labels, soft = whole["students"]
    assert labels["metrics"]["accuracy"]["by_draw"] == pytest.approx([0.8, 0.81, 0.79])
    assert [len(of_draw) for of_draw in soft["metrics"]["nll"]["per_seed"]] == [5, 5, 5]
    versus = soft["versus"]["accuracy"]
    assert versus["by_draw"] == pytest.approx([0.1, 0.09, 0.08])
    assert versus["difference"] == pytest.approx(0.09)
    low, high = versus["another_draw"]
    assert low < versus["ci95"][0] < 0.09 < versus["ci95"][1] < high
    assert versus["seeds"] == 5


def test_a_draw_in_which_both_are_infinite_has_no_difference_in_the_document() -> None:
    endless, finite = torch.full((5, 4), math.inf), torch.ones(5, 4)
    right = torch.ones(5, 4)
    labels = students("labels", [right] * 3, [endless, endless, finite])
    soft = students("soft", [right] * 3, [endless, finite, finite])
    (_, versus) = (s["versus"] for s in document(concluded(evidence(labels, soft)))["students"])
    assert versus["nll"]["by_draw"] == [None, -math.inf, 0.0]
    assert (versus["nll"]["difference"], versus["nll"]["another_draw"]) == (None, None)
    json.dumps(to_json(versus), allow_nan=False)


def test_csv_has_the_number_of_draws_that_a_difference_rests_on(made: Evidence, over_draws: Evidence) -> None:
    for whole, draws in ((made, "1"), (over_draws, "3")):
        rows = list(csv.DictReader(io.StringIO(as_csv(concluded(whole)))))
        assert {row["difference_draws"] for row in rows if row["name"] == "soft-T4-mlp4"} == {draws}
        assert {row["difference_draws"] for row in rows if row["name"] == "labels-mlp4"} == {""}


def test_csv_has_a_row_for_each_model_and_metric(made: Evidence) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(concluded(made)))))
    assert len(rows) == 2 * (1 + 3)
    assert {row["run"] for row in rows} == {"tiny"}

    def cell(name: str, metric: str) -> dict[str, Any]:
        (row,) = (row for row in rows if (row["name"], row["metric"]) == (name, metric))
        return row

    soft = cell("soft-T4-mlp4", "accuracy")
    versus = made.students[2].versus["accuracy"]
    assert float(soft["mean"]) == made.students[2].estimates["accuracy"].mean
    assert float(soft["difference"]) == versus.difference
    assert [float(soft[key]) for key in ("difference_low", "difference_high")] == list(versus.interval or ())
    assert (soft["control"], soft["paired"], soft["verdict"]) == ("labels-mlp4", "True", "better")
    assert (soft["group"], soft["seeds"], soft["diverged"]) == ("mlp:4", "4", "1")
    assert cell("labels-mlp4", "nll")["verdict"] == ""
    assert (cell("teacher", "nll")["model"], cell("teacher", "nll")["target"]) == ("mlp:8", "")
