import doctest
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from customers import customers
from harness import Kd
from sklearn.calibration import CalibrationDisplay
from sklearn.inspection import permutation_importance

import kdcli
import kdcli.public
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
        assert right.mean() == students.metrics["accuracy"][0][seed]
    assert run.draws == 1
    assert (run.teacher.predict(x) == y).mean() > 0.9
    assert repr(run.teacher).startswith("Model(name='teacher', classes_=")
    assert students.settings["temperature"] == 4


def test_every_draw_has_its_own_data_teacher_and_students(two_draws: Path) -> None:
    run = kdcli.open_run()
    assert run.draws == 2
    students = run.student_sets["soft-T4-mlp4"]
    tested = [run.split("test", draw) for draw in range(2)]
    for draw, (x, y) in enumerate(tested):
        for seed in students.seeds:
            right = students.student(seed, draw).predict(x) == y
            assert right.mean() == students.metrics["accuracy"][draw][seed]
    assert not np.array_equal(tested[0][0], tested[1][0])
    x = tested[0][0]
    first, second = run.teacher_of(0), run.teacher_of(1)
    np.testing.assert_array_equal(run.teacher.predict_proba(x), first.predict_proba(x))
    assert not np.allclose(first.predict_proba(x), second.predict_proba(x), atol=0.01)
    assert (run.teacher.name, second.name) == ("teacher", "teacher of draw 1")
    assert students.student(1, 1).name == "students/soft-T4-mlp4, seed 1 of draw 1"
    assert students.student(seed=1, draw=1).predict_proba(x).shape == (400, 2)


def test_teachers_score_as_the_comparison_says(two_draws: Path) -> None:
    run = kdcli.open_run()
    by_draw = run.compare()["teacher"]["by_draw"]["accuracy"]
    for draw, accuracy in enumerate(by_draw):
        x, y = run.split("test", draw)
        assert (run.teacher_of(draw).predict(x) == y).mean() == pytest.approx(accuracy)


@pytest.mark.parametrize("draw", [-1, 2, 10**30])
def test_a_draw_that_is_not_there_is_refused(two_draws: Path, draw: int) -> None:
    run = kdcli.open_run()
    for call in (
        lambda: run.split("test", draw),
        lambda: run.teacher_of(draw),
        lambda: run.student_sets["labels-mlp4"].student(0, draw),
    ):
        with pytest.raises(kdcli.UsageError, match=rf"^there is no draw {draw}$") as refused:
            call()
        assert refused.value.hint == "draws: 0 to 1"


def test_a_student_by_the_name_of_its_set_is_the_best_on_validation_examples(two_draws: Path) -> None:
    run = kdcli.open_run()
    x, y = run.split("val", 1)
    students = run.student_sets["soft-T4-mlp4"]
    columns = np.searchsorted(run.classes, y)
    nll = [
        -np.log(students.student(seed, 1).predict_proba(x)[range(len(y)), columns]).mean() for seed in (0, 1)
    ]
    assert run.student("soft-T4-mlp4", 1).name.endswith(f"seed {np.argmin(nll)} of draw 1")
    with pytest.raises(kdcli.UsageError, match="no student set 'soft-T4-mlp'; did you mean soft-T4-mlp4"):
        run.student("soft-T4-mlp")


def test_a_run_of_one_draw_says_so_where_another_is_asked_for(tiny: Path) -> None:
    run = kdcli.open_run()
    assert run.student_sets["labels-mlp4"].student(1).name == "students/labels-mlp4, seed 1"
    with pytest.raises(kdcli.UsageError, match="there is no draw 1") as refused:
        run.split("test", 1)
    assert refused.value.hint == "the only draw is 0"


def test_a_teacher_that_is_not_there_is_named_with_the_command_that_trains_it(kd: Kd) -> None:
    assert kd("gen-data", "--n-samples", "40", "--n-test", "20", "--draws", "2").code == 0
    run = kdcli.open_run()
    for call in (lambda: run.teacher, lambda: run.teacher_of(1)):
        with pytest.raises(kdcli.KdError, match="has no teacher yet") as refused:
            call()
        assert refused.value.hint == "make it with `kd train-teacher`"


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


def test_an_export_is_that_of_the_command(kd: Kd, tiny: Path) -> None:
    ours = kdcli.open_run().export("soft-T4-mlp4", out="ours.py", seed=1)
    told = json.loads(kd("export", "soft-T4-mlp4", "--out", "told.py", "--seed", "1", "--json").out)
    assert ours["proof"]["difference"] == told["proof"]["difference"]
    assert Path("ours.py").read_text() == Path("told.py").read_text()
    with pytest.raises(kdcli.UsageError, match="no format 'onxn'; did you mean onnx"):
        kdcli.open_run().export(file_format="onxn")


def test_what_is_stale_is_no_student(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    assert list(kdcli.open_run().student_sets) == ["labels-mlp4"]


def test_a_comparison_over_draws_is_that_of_the_command(kd: Kd, two_draws: Path) -> None:
    made = kdcli.open_run().compare()
    told = json.loads(kd("compare", "--json").out)
    assert (made["draws"], made["finding"]) == (told["draws"], told["finding"])
    for ours, theirs in zip(made["students"], told["students"], strict=True):
        assert ours["metrics"]["nll"]["per_seed"] == theirs["metrics"]["nll"]["per_seed"]


def test_a_run_of_an_earlier_kd_is_refused_with_the_command_that_makes_it_again(tiny: Path) -> None:
    path = tiny / "data/meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 5}))
    run = kdcli.open_run()
    for call in (lambda: run.split("test"), lambda: run.draws, lambda: run.classes, lambda: run.student_sets):
        with pytest.raises(kdcli.KdError, match="format 5 of an earlier kd; this kd reads 7") as refused:
            call()
        assert refused.value.hint == "make it again with `kd gen-data --run tiny --force`"


def test_a_damaged_file_is_named_with_the_command_that_makes_it_again(tiny: Path) -> None:
    (tiny / "students/soft-T4-mlp4/model.safetensors").write_bytes(b"")
    students = kdcli.open_run().student_sets["soft-T4-mlp4"]
    with pytest.raises(kdcli.KdError, match="is damaged") as refused:
        students.student()
    again = "make it again with `kd distill --target soft --temperature 4`"
    assert refused.value.hint == f"remove {tiny}/students/soft-T4-mlp4 and {again}"


@pytest.mark.long
def test_the_examples_of_the_documentation(kd: Kd, outputs: Path) -> None:
    assert kd("run", "gaussians", "--draws", "2", "--seeds", "1", "--quiet").code == 0
    assert Store(outputs).current == "gaussians"
    failed, tried = doctest.testmod(kdcli)
    assert failed == 0
    assert tried >= 8


class Pandas(dict):  # type: ignore[type-arg]
    """The part of a pandas DataFrame that kd uses."""

    @property
    def columns(self) -> list[str]:
        return list(self)

    def to_dict(self) -> dict[str, list[object]]:
        return dict(self)


@pytest.fixture
def own(kd: Kd) -> tuple[kdcli.public.Model, pl.DataFrame]:
    """A student of customers, and their rows."""
    customers()
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "1").code == 0
    options = ("--model", "mlp:4", "--target", "labels", "--seeds", "1", "--epochs", "30")
    assert kd("distill", *options).code == 0
    student = kdcli.open_run("customers").student_sets["labels-mlp4"].student()
    return student, pl.read_csv("customers.csv")


def test_rows_go_by_the_names_of_their_columns_in_whatever_they_come(
    kd: Kd, own: tuple[kdcli.public.Model, pl.DataFrame]
) -> None:
    student, frame = own
    assert kd("predict", "labels-mlp4", "customers.csv", "--out", "p.csv").code == 0
    expected = pl.read_csv("p.csv").select("p_no", "p_yes").to_numpy()
    rows = frame.select("spent", "age", "active", "plan")
    forms = [rows, rows.to_dicts(), Pandas(rows.to_dict(as_series=False))]
    forms.append(Pandas({**forms[2], "spent": [float("nan") if v is None else v for v in rows["spent"]]}))
    for form in forms:
        np.testing.assert_allclose(student.predict_proba(form), expected, rtol=1e-6)
    assert student.predict(rows[:3]).tolist() == pl.read_csv("p.csv")["prediction"][:3].to_list()
    with pytest.raises(kdcli.KdError, match="no column 'age' in the rows"):
        student.predict_proba(rows.drop("age"))
    for odd in ([["a", "b"]], rows.to_dicts()[0]):
        with pytest.raises(ValueError, match="a DataFrame or a list of dicts"):
            student.predict_proba(odd)
    with pytest.raises(kdcli.KdError, match="row 1: column 'age' has 'old'"):
        student.predict_proba(rows.with_columns(age=pl.lit("old")))


def test_tools_of_scikit_learn_take_a_student(own: tuple[kdcli.public.Model, pl.DataFrame]) -> None:
    student, frame = own
    rows, y = frame.select("age", "plan", "active", "spent"), frame["left"].to_numpy()
    found = permutation_importance(student, rows, y, scoring="accuracy", n_repeats=2, random_state=0)
    assert found.importances_mean.shape == (4,)
    assert found.importances_mean[0] > found.importances_mean[1]
    display = CalibrationDisplay.from_estimator(student, rows, y, pos_label="yes")
    assert len(display.y_prob) == len(y)
    with pytest.raises(TypeError, match="already trained"):
        student.fit(rows, y)
