import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from measured import evidence, students, teacher
from studied import Gathered, gathering

from kdcli.errors import KdError
from kdcli.evidence.gather import Evidence
from kdcli.evidence.study import StudyEvidence, by_value
from kdcli.report.study import (
    at,
    by_table,
    leaf,
    study_csv,
    study_document,
    study_table,
    study_text,
    value_text,
)
from kdcli.store import to_json

PLANE = '"data.seed" = [1, 2]\n"students.label_weight" = [0.0, 0.5]\n'
NAMES = [f"seed-{seed}_label-weight-{weight}" for seed in (1, 2) for weight in ("0", "0.5")]


@pytest.fixture
def gathered(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Gathered:
    return gathering(outputs, monkeypatch)


def run(accuracy: float = 0.0, nll: float = 0.0) -> Evidence:
    """Return the evidence of a run whose soft targets change accuracy and NLL by this."""
    return evidence(
        students("labels", 0.8, 0.5), students("soft", 0.8 + accuracy, 0.5 + nll), teacher=teacher(0.9)
    )


def plane(gathered: Gathered, *changes: tuple[float, float]) -> StudyEvidence:
    runs = [run(*change) for change in changes or ((0.1, 0.0), (0.04, 0.0), (-0.06, 0.0), (0.0, 0.0))]
    return gathered(PLANE, dict(zip(NAMES, runs, strict=True)))


def test_keys_and_values_in_words() -> None:
    assert leaf("students.transfer_size") == "transfer_size"
    varied = {"data.seed": 3, "students.models": ["mlp:4", "tree"], "teacher.source": ""}
    assert at(varied, ["data.seed", "students.models", "data.noise"]) == "seed = 3, models = mlp:4, tree"
    assert [value_text(value) for value in (None, "a", 0.25, 3, True, ["a", 1], [])] == [
        "",
        "a",
        "0.25",
        "3",
        "True",
        "a, 1",
        "",
    ]


def test_what_treatments_bring_and_where_most(gathered: Gathered) -> None:
    first, second, best = study_text(plane(gathered))
    assert first.startswith("In accuracy, soft helps in 2 of 4 runs (most at seed = 1, label_weight = 0: 10.")
    assert " and harms in 1 of 4 runs (most at seed = 2, label_weight = 0: " in first
    assert second == "In NLL, no run shows a difference between a target and its control."
    assert best.startswith(
        "Best on validation examples: soft at seed = 1, label_weight = 0, with a test accuracy of 9"
    )


def test_a_smaller_nll_helps(gathered: Gathered) -> None:
    first, second, _ = study_text(plane(gathered, (0, -0.1), (0, 0.1), (0, 0.0), (0, -0.05)))
    assert first == "In accuracy, no run shows a difference between a target and its control."
    assert second.startswith("In NLL, soft helps in 2 of 4 runs (most at seed = 1, label_weight = 0: ")
    assert " and harms in 1 of 4 runs (most at seed = 1, label_weight = 0.5: " in second


def test_without_a_control_nothing_is_said_of_differences(gathered: Gathered) -> None:
    alone = evidence(students("soft", 0.8))
    (best,) = study_text(gathered(PLANE, dict.fromkeys(NAMES, alone)))
    assert best.startswith("Best on validation examples: soft at ")


def test_a_run_whose_section_has_another_key_says_where_it_is(gathered: Gathered) -> None:
    vary = '"data.seed" = [1, 2]\n[[vary]]\n"students.label_weight" = [0.5]\n'
    runs = {"seed-1": run(), "seed-2": run(), "label-weight-0.5": run(0.15)}
    *_, best = study_text(gathered(vary, runs))
    assert best.startswith("Best on validation examples: soft at seed = 0, label_weight = 0.5, with")


def test_the_table_has_a_row_for_each_run(gathered: Gathered) -> None:
    found = plane(gathered)
    table = study_table(found)
    assert [column.title for column in table.columns] == ["labels", "soft"]
    assert [column.control for column in table.columns] == ["", "labels"]
    assert table.head.title == "seed, label_weight"
    rows = list(table.rows())
    assert [row.title.text for row in rows] == ["1, 0", "1, 0.5", "2, 0", "2, 0.5"]
    assert [row.mark for row in rows] == ["*", "", "", ""]
    assert [cell.verdict[0] for row in rows for cell in row.cells] == [
        *("", "better"),
        *("", "better"),
        *("", "worse"),
        *("", "inconclusive"),
    ]
    for row, cells in zip(rows, zip(found.rows[::2], found.rows[1::2], strict=True), strict=True):
        assert [cell.value for cell in row.cells] == [c.students.estimates["accuracy"].mean for c in cells]
    assert "of 4 runs" in table.title


def test_a_run_without_a_treatment_has_an_empty_cell(gathered: Gathered) -> None:
    alone = evidence(students("labels", 0.8))
    found = gathered(PLANE, dict(zip(NAMES, [run(), alone, run(), run()], strict=True)))
    _, second, *_ = study_table(found).rows()
    assert [cell.text for cell in second.cells][1] == ""


def test_a_table_of_many_runs_is_cut_unless_all_are_asked_for(gathered: Gathered) -> None:
    vary = '"data.seed" = {from = 1, to = 50, steps = 50}\n'
    one = run()
    found = gathered(vary, {f"seed-{k}": one for k in range(1, 51)})
    assert len(list(study_table(found).rows())) == 40
    assert len(list(study_table(found, full=True).rows())) == 50


def test_the_table_of_a_key_has_the_averages(gathered: Gathered) -> None:
    entries = by_value(plane(gathered), "data.seed")
    table = by_table(entries, "data.seed")
    assert table.head.title == "seed"
    assert [section.title for section in table.sections] == ["labels", "soft"]
    texts = [[row.title.text, *(cell.text for cell in row.cells)] for row in table.rows()]
    assert [line[:2] for line in texts] == [["1", "2"], ["2", "2"], ["1", "2"], ["2", "2"]]
    assert [line[4:] for line in texts] == [["0", "0"], ["0", "0"], ["2", "0"], ["0", "1"]]
    assert [line[3] == "" for line in texts] == [True, True, False, False]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_has_a_row_for_each_run_set_and_metric(gathered: Gathered) -> None:
    found = plane(gathered)
    rows = rows_of(study_csv(found))
    assert len(rows) == 16
    for line, (row, metric) in zip(
        rows, [(row, metric) for row in found.rows for metric in ("accuracy", "nll")], strict=True
    ):
        assert (line["run"], line["treatment"], line["metric"]) == (row.run, row.treatment, metric)
        assert line["data.seed"] == str(row.varied["data.seed"])
        assert line["students.label_weight"] == str(row.varied["students.label_weight"])
        assert float(line["mean"]) == row.students.estimates[metric].mean
        versus = row.students.versus.get(metric)
        assert (line["verdict"] or None) == (versus.verdict if versus else None)
        assert line["p_holm"] == (str(versus.adjusted) if versus else "")


def test_a_list_that_varies_is_one_field_of_the_csv(gathered: Gathered) -> None:
    vary = '"students.models" = ["mlp:4", ["mlp:4", "tree"]]\n'
    found = gathered(vary, {"models-mlp-4": run(), "models-mlp-4-tree": run()})
    assert [row["students.models"] for row in rows_of(study_csv(found))] == [
        *["mlp:4"] * 4,
        *["mlp:4, tree"] * 4,
    ]


def test_the_document_is_json_and_agrees_with_the_evidence(gathered: Gathered) -> None:
    found = plane(gathered)
    document: dict[str, Any] = json.loads(json.dumps(to_json(study_document(found)), allow_nan=False))
    assert document["study"] == "many"
    assert document["comparisons"] == found.tests == 8
    assert document["best"] == {"run": NAMES[0], "name": "soft-T4-mlp4"}
    assert document["finding"] == list(study_text(found))
    assert document["varied"] == {"data.seed": [1, 2], "students.label_weight": [0.0, 0.5]}
    for entry, row in zip(document["runs"], found.rows, strict=True):
        assert (entry["run"], entry["treatment"]) == (row.run, row.treatment)
        assert entry["validation_accuracy"] == row.validation
        assert set(entry["metrics"]) == {"accuracy", "nll"}
        for metric, estimate in row.students.estimates.items():
            assert entry["metrics"][metric] == {"mean": estimate.mean, "ci95": list(estimate.interval or [])}
        if row.students.versus:
            for metric, versus in row.students.versus.items():
                assert entry["versus"][metric]["p_holm"] == versus.adjusted
                assert entry["versus"][metric]["verdict"] == versus.verdict
                assert entry["versus"][metric]["control"] == "labels-mlp4"
        else:
            assert entry["versus"] is None


def test_the_document_by_a_key(gathered: Gathered) -> None:
    found = plane(gathered)
    entries = by_value(found, "seed")
    document = json.loads(json.dumps(to_json(study_document(found, "data.seed", entries))))
    assert document["by"] == "data.seed"
    assert [(entry["value"], entry["treatment"]) for entry in document["values"]] == [
        (1, "labels"),
        (2, "labels"),
        (1, "soft"),
        (2, "soft"),
    ]


def test_the_document_tells_what_is_missing(gathered: Gathered) -> None:
    error = KdError("it is damaged")
    found = gathered(PLANE, dict(zip(NAMES, [None, error, run(), None], strict=True)))
    document = study_document(found)
    assert document["missing"] == [NAMES[0], NAMES[3]]
    assert document["not_compared"] == {NAMES[1]: "it is damaged"}


def test_infinite_values_are_written_as_words(gathered: Gathered) -> None:
    infinite = evidence(students("labels", 0.8, float("inf")), students("soft", 0.9, float("inf")))
    found = gathered('"data.seed" = [1]\n', {"seed-1": infinite})
    text = json.dumps(to_json(study_document(found)), allow_nan=False)
    assert json.loads(text)["runs"][0]["metrics"]["nll"]["mean"] == "Infinity"
    assert rows_of(study_csv(found))[1]["mean"] == "inf"
    assert list(study_text(found))
