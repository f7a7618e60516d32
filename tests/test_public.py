import doctest
import json
from pathlib import Path

import numpy as np
import pytest
from harness import Kd

import kdcli
from kdcli.store import Store


def test_a_student_predicts_what_was_stored(tiny: Path) -> None:
    run = kdcli.open_run("tiny")
    assert (run.name, run.path, run.classes, run.feature_names) == ("tiny", tiny, ("0", "1"), ("x₁", "x₂"))
    x, y = run.split("test")
    students = run.student_sets["soft-T4-mlp4"]
    for seed in students.seeds:
        student = students.student(seed)
        p = student.predict_proba(x)
        assert p.shape == (len(y), 2)
        np.testing.assert_allclose(p.sum(1), 1)
        right = student.predict(x) == y
        assert right.mean() == students.metrics["accuracy"][seed]
    assert (run.teacher.predict(x) == y).mean() > 0.9
    assert repr(run.teacher).startswith("Model(name='teacher', classes_=")
    assert students.settings["temperature"] == 4


def test_what_is_no_input_is_refused(tiny: Path) -> None:
    students = kdcli.open_run().student_sets["labels-mlp4"]
    for wrong, words in (([1.0, 2.0], r"\(n, 2\)"), ([[1.0, 2.0, 3.0]], "shape"), ([[np.nan, 0]], "finite")):
        with pytest.raises(ValueError, match=words):
            students.student().predict_proba(wrong)
    with pytest.raises(kdcli.UsageError, match="has no seed 7"):
        students.student(7)
    with pytest.raises(kdcli.KdError, match="no run 'tin'; did you mean tiny") as refused:
        kdcli.open_run("tin")
    assert "`kd gen-data --run NAME` makes one" in refused.value.hint
    with pytest.raises(kdcli.UsageError, match="no split 'tests'; did you mean test"):
        kdcli.open_run().split("tests")


def test_a_comparison_is_that_of_the_command(kd: Kd, tiny: Path) -> None:
    compared = kdcli.open_run("tiny", outputs=tiny.parent).compare(metrics=["brier"])
    told = json.loads(kd("compare", "--metric", "brier", "--json").out)
    for ours, theirs in zip(compared["students"], told["students"], strict=True):
        assert ours["name"] == theirs["name"]
        assert list(ours["metrics"]["nll"]["ci95"]) == theirs["metrics"]["nll"]["ci95"]


def test_what_is_stale_is_no_student(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    assert list(kdcli.open_run().student_sets) == ["labels-mlp4"]


@pytest.mark.long
def test_the_examples_of_the_documentation(kd: Kd, outputs: Path) -> None:
    assert kd("run", "gaussians", "--quiet").code == 0
    assert Store(outputs).current == "gaussians"
    failed, tried = doctest.testmod(kdcli)
    assert failed == 0
    assert tried >= 8
