import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import Kd, forge
from safetensors.torch import load_file, save

from kdcli.errors import KdError, UsageError
from kdcli.evidence.gather import gather
from kdcli.metrics import measure
from kdcli.report.drawing import collect, draw, measure_reliability
from kdcli.runs.experiment import Experiment
from kdcli.scored import Scored
from kdcli.store import Store

HISTORY = "history.safetensors"


def opened(folder: Path) -> Experiment:
    """The run in a folder as it is now."""
    return Experiment.open(Store(folder.parent).run(folder.name))


@pytest.fixture
def run(tiny: Path) -> Experiment:
    return opened(tiny)


@pytest.fixture
def of_two_draws(two_draws: Path) -> Experiment:
    return opened(two_draws)


def test_the_view_of_a_run_has_its_data(one_or_two_draws: Path) -> None:
    run = opened(one_or_two_draws)
    view, omitted = collect(run)
    data = run.data
    assert omitted == {}
    assert view.run == "tiny"
    assert (list(view.class_names), list(view.feature_names)) == (["0", "1"], ["x₁", "x₂"])
    for name in ("train", "val", "test"):
        split = data.pool.split(name, 0)
        np.testing.assert_array_equal(view.splits[name].x, split.x)
        np.testing.assert_array_equal(view.splits[name].y, split.y)
    exact = data.pool.split("test", 0).posterior
    assert view.posterior is not None
    assert exact is not None
    np.testing.assert_allclose(view.posterior(view.test.x), exact)
    assert (view.draws, view.drawing) == (data.draws, "sampled")


def test_the_optimum_is_scored_on_the_test_split_of_each_draw(of_two_draws: Experiment) -> None:
    view, _ = collect(of_two_draws)
    assert view.bayes is not None
    for draw_, accuracy in enumerate(view.bayes["accuracy"]):
        split = of_two_draws.data.pool.split("test", draw_)
        assert split.posterior is not None
        assert accuracy == pytest.approx(float((split.posterior.argmax(1) == split.y).double().mean()))
    first, second = view.bayes["nll"]
    assert first != second


def test_the_view_of_a_run_has_its_models(one_or_two_draws: Path) -> None:
    run = opened(one_or_two_draws)
    draws = run.data.draws
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
    np.testing.assert_array_equal(view.teacher_logits("train"), teacher.logits["train"][0])
    soft = view.students[1]
    assert soft.settings["epochs"] == teacher.record.to_record()["epochs"] == 20
    assert soft.logits().shape == (2, 400, 2)
    # The stored logits on the test split are those that the restored model predicts.
    np.testing.assert_allclose(soft.predict(view.test.x), soft.probabilities(), atol=1e-5)
    accuracy = (soft.logits().argmax(-1) == view.test.y).mean(1)
    assert soft.recorded["accuracy"].shape == (draws, 2)
    np.testing.assert_allclose(soft.recorded["accuracy"][0], accuracy)
    assert soft.score("accuracy")[0] == pytest.approx(soft.recorded["accuracy"].mean())
    assert soft.score("kl_posterior")[0] > 0
    curves = soft.curves()
    assert curves is not None
    assert curves.train.shape == curves.val.shape == (draws, 2, len(curves.epochs))
    assert curves.train_accuracy is not None
    assert curves.val_accuracy is not None
    val = view.splits["val"]
    right = (soft.predict(val.x).argmax(1) == val.y).mean()
    assert curves.val_accuracy[0, 0, -1] == pytest.approx(right)
    assert curves.train_accuracy.shape == curves.train.shape


def test_a_run_whose_accuracies_were_not_recorded_is_read_and_drawn_and_gets_further_seeds(
    kd: Kd, tiny: Path
) -> None:
    for folder in [tiny / "teacher", *(tiny / "students").iterdir()]:
        older = {name: curve for name, curve in load_file(folder / HISTORY).items() if "accuracy" not in name}
        forge(folder, {HISTORY: save(older)})
    view, _ = collect(opened(tiny))
    curves = [subject.curves() for subject in view.subjects]
    assert all(of_subject and of_subject.val_accuracy is None for of_subject in curves)
    assert kd("plot", "learning-curves").code == 0
    assert kd("distill", "--seeds", "3").code == 0
    soft = collect(opened(tiny))[0].students[1].curves()
    assert soft is not None
    assert soft.val.shape[1] == 3
    assert soft.val_accuracy is None


def test_scores_of_several_draws_are_those_of_the_evidence(of_two_draws: Experiment) -> None:
    view, _ = collect(of_two_draws)
    for subject, measured in zip(view.students, gather(of_two_draws).students, strict=True):
        for metric in ("accuracy", "nll", "agreement"):
            assert subject.score(metric) == pytest.approx(measured.estimates[metric])


def test_reliability_is_of_all_draws_and_seeds(of_two_draws: Experiment) -> None:
    view, _ = collect(of_two_draws)
    reliability = view.students[0].reliability()
    assert reliability.count.sum() == 2 * 2 * 400
    assert reliability.each == 2  # draws that are sampled anew have examples of their own
    accuracy = (reliability.accuracy * reliability.count).sum() / reliability.count.sum()
    assert accuracy == pytest.approx(view.students[0].recorded["accuracy"].mean())


def test_examples_that_several_splits_of_a_pool_test_are_counted_once(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "digits", "--run", "pool", "--draws", "4", "--n-val", "200", "--n-test", "900")
    kd("train-teacher", "--model", "mlp:2", "--epochs", "1")
    run = opened(outputs / "pool")
    different = {int(row) for draw_ in range(4) for row in run.data.pool.rows("test", draw_)}
    assert 900 < len(different) < 4 * 900
    view, _ = collect(run)
    assert view.drawing == "split"
    assert view.teacher is not None
    assert view.teacher.reliability().each == pytest.approx(4 * 900 / len(different))


def test_trees_have_leaves_and_no_curves(kd: Kd, one_or_two_draws: Path) -> None:
    kd("distill", "--model", "tree:max_leaf_nodes=3,tree:max_depth=2", "--target", "labels")
    run = opened(one_or_two_draws)
    view, _ = collect(run, ["tree:max_leaf_nodes=3", "tree:max_depth=2"])
    assert {subject.model: subject.limited_by for subject in view.students} == {
        "tree:max_leaf_nodes=3": "leaves",
        "tree:max_depth=2": "else",
    }
    for subject in view.students:
        assert subject.curves() is None
        assert subject.recorded["leaves"].shape == (run.data.draws, 2)


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


def test_differences_have_a_value_for_each_draw(of_two_draws: Experiment) -> None:
    evidence = gather(of_two_draws)
    view, _ = collect(of_two_draws, evidence=lambda: evidence)
    accuracy, nll = view.differences()
    versus = evidence.students[1].versus
    assert accuracy.by_draw == pytest.approx([100 * value for value in versus["accuracy"].by_draw])
    assert nll.by_draw == pytest.approx(versus["nll"].by_draw)
    assert len(nll.by_draw) == 2
    labels, soft = (subject.recorded["nll"].mean(1) for subject in view.students)
    assert nll.by_draw == pytest.approx((soft - labels).tolist())


def test_a_difference_without_a_verdict_says_why(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "labels,soft", "--seeds", "1", "--force")
    run = opened(tiny)
    evidence = gather(run)
    for difference in collect(run, evidence=lambda: evidence)[0].differences():
        assert difference.verdict is None
        assert "one seed" in difference.why


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


def test_differences_that_are_infinite_or_undefined_reach_the_figure_of_the_draws(
    of_two_draws: Experiment,
) -> None:
    view, _ = collect(of_two_draws, evidence=lambda: gather(of_two_draws))
    accuracy, nll = view.differences()
    odd = [accuracy, replace(nll, mean=math.inf, low=None, high=None, by_draw=[math.inf, math.nan])]
    files = draw(of_two_draws.run, [], lambda: (["draws"], odd), models=[], file_format="svg")
    assert files["draws"].startswith(b"<?xml")


def scored_at_random(seed: int) -> Scored:
    """Predictions of two models on 500 examples."""
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 500, 3, generator=random)
    return Scored(logits, torch.randint(0, 3, (500,), generator=random))


def test_reliability_adds_up_to_accuracy_and_calibration_error() -> None:
    scored = scored_at_random(0)
    reliability = measure_reliability([scored], 500)
    assert (reliability.each, reliability.count.sum()) == (2, 1000)
    assert bool((reliability.left < reliability.confidence).all())
    assert bool((reliability.confidence <= reliability.left + reliability.width).all())
    accuracy = (reliability.accuracy * reliability.count).sum() / 1000
    assert accuracy == pytest.approx(np.mean(measure(scored)["accuracy"]))
    of_one = Scored(scored.logits[:1], scored.y)
    bins = measure_reliability([of_one], 500)
    gaps = np.abs(bins.accuracy - bins.confidence) * bins.count / bins.count.sum()
    assert gaps.sum() == pytest.approx(measure(of_one, ["ece"])["ece"][0])


def test_reliability_of_several_draws_puts_their_predictions_together() -> None:
    scored = [scored_at_random(0), scored_at_random(1)]
    first, second = (measure_reliability([of_draw], 500) for of_draw in scored)
    both = measure_reliability(scored, 1000)
    for values in ("confidence", "accuracy"):
        parts = sum((getattr(part, values) * part.count).sum() for part in (first, second))
        assert (getattr(both, values) * both.count).sum() == pytest.approx(parts)
    assert both.count.sum() == first.count.sum() + second.count.sum()
    assert both.each == 2
    assert measure_reliability(scored, 500).each == 4  # draws that share their test examples
