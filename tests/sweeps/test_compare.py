import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from harness import Kd
from sweeping import SEEDS, TEMPERATURES, made, plan, run_of

from kdcli.errors import KdError, UsageError
from kdcli.runs.studies import Study
from kdcli.sweeps.compare import compare_study
from kdcli.sweeps.making import Outcome, Task, keep_failure


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outputs folder with the study "many" of four runs; copy it before changing it."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as context:
        context.chdir(folder)
        made(folder / "outputs", SEEDS + TEMPERATURES)
    return folder / "outputs"


@pytest.fixture
def study(made_once: Path, outputs: Path) -> Study:
    """A study of four runs that are made."""
    shutil.copytree(made_once, outputs)
    return plan(outputs, SEEDS + TEMPERATURES)


def document(kd: Kd, *arguments: str) -> dict[str, Any]:
    outcome = kd("compare", "many", *arguments, "--json")
    assert outcome.code == 0, outcome.out
    assert outcome.err == ""
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def table(kd: Kd) -> list[dict[str, str]]:
    outcome = kd("compare", "many", "--csv")
    assert outcome.code == 0
    return list(csv.DictReader(io.StringIO(outcome.out)))


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_row_for_each_run_and_set(kd: Kd, study: Study) -> None:
    found = document(kd)
    assert found["study"] == "many"
    assert found["varied"] == {"data.seed": [1, 2], "students.temperatures": [1.0, 4.0]}
    assert [(row["run"], row["treatment"]) for row in found["runs"]] == [
        (planned.name, treatment) for planned in study.runs for treatment in ("labels", "soft")
    ]
    for row in found["runs"]:
        planned = next(planned for planned in study.runs if planned.name == row["run"])
        assert row["varied"] == dict(planned.varied)
        assert (row["versus"] is None) == (row["treatment"] == "labels")
    assert (found["missing"], found["not_compared"]) == ([], {})
    assert "by" not in found


def test_what_is_measured_is_that_of_each_run_alone(kd: Kd, study: Study) -> None:
    found = document(kd)
    for planned in study.runs:
        alone = json.loads(kd("compare", "--run", f"many/{planned.name}", "--json").out)
        for entry in alone["students"]:
            (row,) = [r for r in found["runs"] if (r["run"], r["name"]) == (planned.name, entry["name"])]
            for metric in ("accuracy", "nll"):
                assert row["metrics"][metric]["mean"] == entry["metrics"][metric]["mean"]
                assert row["metrics"][metric]["ci95"] == entry["metrics"][metric]["ci95"]
                if entry["versus"]:
                    ours, theirs = row["versus"][metric], entry["versus"][metric]
                    assert ours["difference"] == theirs["difference"]
                    assert ours["ci95"] == theirs["ci95"]
                    assert (ours["p_holm"] is None) == (theirs["p_value"] is None)
                    assert theirs["p_value"] is None or ours["p_holm"] >= theirs["p_holm"]
            assert row["teacher_accuracy"] == alone["teacher"]["metrics"]["accuracy"]
            assert row["bayes_accuracy"] == alone["dataset"]["bayes"]["accuracy"]


def test_the_csv_agrees_with_the_document(kd: Kd, study: Study) -> None:
    rows, found = table(kd), document(kd)
    assert len(rows) == 2 * len(found["runs"]) == 16
    for row, (entry, metric) in zip(
        rows, [(e, m) for e in found["runs"] for m in ("accuracy", "nll")], strict=True
    ):
        assert (row["run"], row["treatment"], row["name"], row["metric"]) == (
            entry["run"],
            entry["treatment"],
            entry["name"],
            metric,
        )
        assert float(row["data.seed"]) == entry["varied"]["data.seed"]
        assert float(row["students.temperatures"]) == entry["varied"]["students.temperatures"]
        assert float(row["mean"]) == entry["metrics"][metric]["mean"]
        assert [float(row["low"]), float(row["high"])] == entry["metrics"][metric]["ci95"]
        assert float(row["validation_accuracy"]) == entry["validation_accuracy"]
        versus = (entry["versus"] or {}).get(metric)
        if versus is None:
            assert {row[key] for key in ("control", "difference", "p_holm", "verdict")} == {""}
        else:
            assert (row["control"], row["verdict"]) == (versus["control"], versus["verdict"] or "")
            assert float(row["difference"]) == versus["difference"]
            assert row["p_holm"] == ("" if versus["p_holm"] is None else str(versus["p_holm"]))
            ends = [row["difference_low"], row["difference_high"]]
            assert ends == [str(end) for end in versus["ci95"] or ("", "")]


def test_what_is_found_is_kept_in_the_folder_of_the_study(kd: Kd, study: Study) -> None:
    found = document(kd)
    path = study.folder.path / "compare.json"
    stored = json.loads(path.read_text())
    assert {**stored, "path": ""} == {**found, "path": ""}
    outcome = kd("compare", "many")
    assert "wrote outputs/many/compare.json" in outcome.out
    assert kd("compare", "--run", "many").out == outcome.out


def test_the_best_on_validation_examples_is_marked(kd: Kd, study: Study) -> None:
    found = document(kd)
    best = max(found["runs"], key=lambda row: row["validation_accuracy"])
    assert found["best"] == {"run": best["run"], "name": best["name"]}
    shown = kd("compare", "many").out
    (marked,) = [line for line in shown.splitlines() if line.startswith("│ *")]
    seed, temperature = best["varied"].values()
    assert f"* {seed}, {temperature}" in marked
    assert f"* the best on validation examples: {best['treatment']}" in shown
    assert f"Best on validation examples: {best['treatment']} at seed = {seed}" in in_one_line(shown)


def test_averages_by_the_values_of_a_key(kd: Kd, study: Study) -> None:
    for key in ("seed", "data.seed"):
        found = document(kd, "--by", key)
        assert found["by"] == "data.seed"
        assert [(entry["treatment"], entry["value"]) for entry in found["values"]] == [
            ("labels", 1),
            ("labels", 2),
            ("soft", 1),
            ("soft", 2),
        ]
    for entry in found["values"]:
        rows = [
            row
            for row in found["runs"]
            if (row["treatment"], row["varied"]["data.seed"]) == (entry["treatment"], entry["value"])
        ]
        assert entry["runs"] == len(rows) == 2
        assert entry["accuracy"] == pytest.approx(fmean(r["metrics"]["accuracy"]["mean"] for r in rows))
        if entry["treatment"] == "soft":
            gains = [row["versus"]["accuracy"]["difference"] for row in rows]
            assert entry["gain"] == pytest.approx(fmean(gains))
        else:
            assert (entry["gain"], entry["interval"]) == (None, None)
    assert "means over runs" in kd("compare", "many", "--by", "seed").out


@pytest.mark.parametrize("key", ["noise", "data.epochs", "epochs", "class"])
def test_by_a_key_that_does_not_vary(kd: Kd, study: Study, key: str) -> None:
    outcome = kd("compare", "many", "--by", key)
    assert outcome.code == 2
    assert f"--by {key}: no varied key has this name" in outcome.err
    assert "varied keys: data.seed, students.temperatures" in outcome.err
    assert not (study.folder.path / "compare.json").exists()


def test_runs_that_are_not_there_or_failed_are_told(kd: Kd, study: Study) -> None:
    first, second, third, _ = (run_of(study, number) for number in range(4))
    shutil.rmtree(first.path)
    shutil.rmtree(second.path)
    keep_failure(second, Task.of(study, study.runs[1]).recipe, Outcome(second.name, error="no room"))
    shutil.rmtree(third.path / "students")
    found = document(kd)
    assert found["missing"] == [study.runs[0].name]
    assert set(found["not_compared"]) == {study.runs[1].name, study.runs[2].name}
    assert "it differs from its plan" in found["not_compared"][study.runs[2].name]
    assert {row["run"] for row in found["runs"]} == {study.runs[3].name}
    shown = in_one_line(kd("compare", "many").out)
    assert "! 1 run not made yet" in shown
    assert f"! left out {study.runs[1].name}: " in shown
    assert f"! left out {study.runs[2].name}: " in shown


def test_what_was_made_by_hand_is_not_taken_for_what_was_planned(kd: Kd, study: Study) -> None:
    first, second = (run_of(study, number).name for number in range(2))
    assert kd("distill", "--run", first, "--target", "soft", "--epochs", "9", "--force").code == 0
    assert kd("distill", "--run", second, "--target", "hard").code == 0
    found = document(kd)
    assert set(found["not_compared"]) == {study.runs[0].name}
    assert {row["target"] for row in found["runs"]} == {"labels", "soft"}
    listed = {run["name"]: run["state"] for run in json.loads(kd("runs", "many", "--json").out)["runs"]}
    assert [listed[planned.name] for planned in study.runs[:2]] == ["changed", "made"]
    assert f"kd delete {first}" in in_one_line(kd("compare", "many").out)
    again = kd("sweep", "many.toml", "--jobs", "1")
    assert again.code == 1
    assert f"to repeat it: `kd delete {first}`" in in_one_line(again.out)
    assert kd("delete", first, "--yes").code == 0
    assert kd("sweep", "many.toml", "--jobs", "1").code == 0
    assert document(kd)["not_compared"] == {}


def test_a_run_that_cannot_be_read_stops_no_other(kd: Kd, study: Study) -> None:
    first, second, third = (run_of(study, number).path for number in range(3))
    (first / "students/labels-mlp4/model.safetensors").write_bytes(b"damaged")
    (second / "data/tensors.safetensors").unlink()
    (third / "recipe.toml").write_text("[data")
    found = document(kd)
    assert set(found["not_compared"]) <= {planned.name for planned in study.runs[:3]}
    assert study.runs[0].name in found["not_compared"]
    assert study.runs[1].name in found["not_compared"]
    assert study.runs[3].name in {row["run"] for row in found["runs"]}


def test_a_study_without_runs(outputs: Path) -> None:
    study = plan(outputs)
    study.store()
    with pytest.raises(KdError, match="no run of the study many can be compared"):
        compare_study(study)
    assert not (study.folder.path / "compare.json").exists()


@pytest.mark.parametrize(
    "options",
    [["--model", "mlp:4"], ["--metric", "brier"], ["--control", "hard"], ["--unpaired"]],
)
def test_options_that_a_study_does_not_have(kd: Kd, study: Study, options: list[str]) -> None:
    outcome = kd("compare", "many", *options)
    assert outcome.code == 2
    assert "many is a study" in outcome.err


def test_a_table_of_many_runs_is_cut(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kd: Kd
) -> None:
    monkeypatch.setattr("kdcli.report.study.LISTED", 3)
    monkeypatch.setattr("kdcli.sweeps.compare.LISTED", 3)
    shown, whole = kd("compare", "many").out, kd("compare", "many", "--full").out
    assert "and 1 more run: " in shown
    assert "more run" not in whole
    last = list(study.runs[3].varied.values())
    row = f" {last[0]}, {last[1]} "
    assert row not in "".join(line for line in shown.splitlines() if line.startswith("│"))
    assert row in whole


def test_comparing_changes_no_run(kd: Kd, study: Study) -> None:
    def written(of: Callable[[Path], Any]) -> dict[Path, Any]:
        return {
            path: of(path)
            for path in study.folder.path.rglob("*")
            if path.is_file() and path.name != "compare.json"
        }

    before = written(lambda path: path.read_bytes())
    document(kd)
    document(kd, "--by", "seed")
    assert written(lambda path: path.read_bytes()) == before


def test_by_is_checked_by_the_library_too(study: Study) -> None:
    with pytest.raises(UsageError):
        compare_study(study, by="nothing")
    assert compare_study(study, by="temperatures").by == "students.temperatures"
