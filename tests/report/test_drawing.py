import json
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import Kd
from matplotlib.figure import Figure

from kdcli.errors import KdError, UsageError
from kdcli.evidence.gather import gather
from kdcli.figures import FORMATS
from kdcli.metrics import Scored, measure
from kdcli.report.drawing import collect, draw, measure_reliability, render
from kdcli.runs.experiment import Experiment
from kdcli.store import Store


def opened(folder: Path) -> Experiment:
    """The run in a folder as it is now."""
    return Experiment.open(Store(folder.parent).run(folder.name))


@pytest.fixture
def run(tiny: Path) -> Experiment:
    return opened(tiny)


def test_the_view_of_a_run_has_its_data(run: Experiment) -> None:
    view, omitted = collect(run)
    data = run.data
    assert omitted == {}
    assert view.run == "tiny"
    assert (list(view.class_names), list(view.feature_names)) == (["0", "1"], ["x₁", "x₂"])
    for name, split in data.splits.items():
        np.testing.assert_array_equal(view.splits[name].x, split.x)
        np.testing.assert_array_equal(view.splits[name].y, split.y)
    assert view.posterior is not None
    np.testing.assert_allclose(view.posterior(view.test.x), data.splits["test"].posterior)
    assert view.bayes == data.bayes_scores()


def test_the_view_of_a_run_has_its_models(run: Experiment) -> None:
    view, _ = collect(run)
    teacher = run.teacher
    assert [subject.name for subject in view.subjects] == [
        "teacher (mlp:8)",
        "labels (mlp:4)",
        "soft, T = 4 (mlp:4)",
    ]
    assert [subject.temperature for subject in view.students] == [1, 4]
    assert view.seed == 0
    assert view.teacher_logits is not None
    np.testing.assert_array_equal(view.teacher_logits("train"), teacher.logits["train"])
    soft = view.students[1]
    assert soft.settings["epochs"] == teacher.record.to_record()["epochs"] == 20
    assert soft.logits().shape == (2, 400, 2)
    # What is stored of the test split is what the restored model predicts there.
    np.testing.assert_allclose(soft.predict(view.test.x), soft.probabilities(), atol=1e-5)
    accuracy = (soft.logits().argmax(-1) == view.test.y).mean(1)
    np.testing.assert_allclose(soft.recorded["accuracy"], accuracy)
    assert soft.score("accuracy")[0] == pytest.approx(accuracy.mean())
    assert soft.score("kl_posterior")[0] > 0
    curves = soft.curves()
    assert curves is not None
    assert curves.train.shape == curves.val.shape == (2, len(curves.epochs))


def test_trees_have_leaves_and_no_curves(kd: Kd, tiny: Path) -> None:
    kd("distill", "--model", "tree:max_leaf_nodes=3,tree:max_depth=2", "--target", "labels")
    view, _ = collect(opened(tiny), ["tree:max_leaf_nodes=3", "tree:max_depth=2"])
    assert {subject.model: subject.limited_by for subject in view.students} == {
        "tree:max_leaf_nodes=3": "leaves",
        "tree:max_depth=2": "else",
    }
    for subject in view.students:
        assert subject.curves() is None
        assert subject.recorded["leaves"].shape == (2,)


def test_models_are_read_when_they_are_asked_for(run: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*arguments: object) -> None:
        raise AssertionError("read without being asked for")

    for function in ("load_model", "load_history"):
        monkeypatch.setattr(f"kdcli.runs.stored.Trained.{function}", read)
    monkeypatch.setattr("kdcli.runs.stored.TrainedStudents.load_tested", read)
    view, _ = collect(run)
    with pytest.raises(AssertionError, match="without being asked"):
        view.students[0].logits()


def test_the_first_seed_that_all_sets_have_stands_for_each(tiny: Path) -> None:
    path = tiny / "students/soft-T4-mlp4/meta.json"
    record = json.loads(path.read_text())
    record["config"] |= {"seeds": [1, 2], "diverged": [0]}
    path.write_text(json.dumps(record))
    view, _ = collect(opened(tiny))
    assert view.seed == 1
    assert [(subject.shown, subject.partial) for subject in view.subjects] == [
        (0, False),
        (1, False),
        (0, True),
    ]
    for subject in view.students:
        np.testing.assert_allclose(subject.predict(view.test.x), subject.probabilities(), atol=1e-5)


def test_stale_sets_are_left_out_with_the_command_that_renews_them(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    view, omitted = collect(opened(tiny))
    assert [subject.title for subject in view.students] == ["labels"]
    assert list(omitted) == ["students/soft-T4-mlp4"]
    assert "stale" in str(omitted["students/soft-T4-mlp4"])


def test_differences_are_those_of_the_evidence(run: Experiment) -> None:
    assert collect(run)[0].differences() == []
    evidence = gather(run)
    accuracy, nll = collect(run, evidence=lambda: evidence)[0].differences()
    versus = evidence.students[1].versus
    assert (accuracy.title, accuracy.unit, accuracy.preferred) == (
        "soft, T = 4",
        "percentage points",
        "higher",
    )
    assert (nll.metric, nll.unit, nll.preferred) == ("NLL", "nats", "lower")
    assert accuracy.mean == pytest.approx(100 * (versus["accuracy"].difference or 0))
    assert (nll.low, nll.high) == versus["nll"].interval


def test_nothing_to_draw(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "--run", "bare", "--n-samples", "60", "--n-test", "40")
    with pytest.raises(KdError, match="nothing to draw"):
        collect(opened(outputs / "bare"))


def test_an_unknown_model(run: Experiment) -> None:
    with pytest.raises(UsageError, match="student model"):
        collect(run, ["tree"])


def test_figures_that_compare_are_drawn_beside_the_others(run: Experiment) -> None:
    view, _ = collect(run, evidence=lambda: gather(run))
    files = draw(
        run.run,
        ["reliability"],
        lambda: (["differences"], view.differences()),
        models=[],
        file_format="svg",
    )
    assert set(files) == {"reliability", "differences"}
    assert all(file.startswith(b"<?xml") for file in files.values())


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_figure_gives_the_same_bytes(file_format: str) -> None:
    def file() -> bytes:
        figure = Figure()
        figure.add_subplot().plot([0, 1])
        return render(figure, file_format)

    assert file() == file()


def test_reliability_adds_up_to_accuracy_and_calibration_error() -> None:
    random = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 500, 3, generator=random)
    scored = Scored(logits, torch.randint(0, 3, (500,), generator=random))
    reliability = measure_reliability(scored)
    assert (reliability.seeds, reliability.count.sum()) == (2, 1000)
    accuracy = (reliability.accuracy * reliability.count).sum() / 1000
    assert accuracy == pytest.approx(np.mean(measure(scored)["accuracy"]))
    of_one = Scored(logits[:1], scored.y)
    bins = measure_reliability(of_one)
    gaps = np.abs(bins.accuracy - bins.confidence) * bins.count / bins.count.sum()
    assert gaps.sum() == pytest.approx(measure(of_one, ["ece"])["ece"][0])
