import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from harness import Kd, edit_recipe, opened, poison_last_member
from torch import Tensor

from kdcli.models import parse_model
from kdcli.models.family import Teaching
from kdcli.public import OpenRun
from kdcli.runs.experiment import Experiment
from kdcli.teachers.folds import stratified_folds
from kdcli.training import resuming


@pytest.mark.parametrize("fixture", ["tiny", "two_draws"])
@pytest.mark.parametrize("model", ["tree", "mlp:8"])
def test_training_rows_are_labelled_by_teachers_that_have_not_seen_them(
    kd: Kd, request: pytest.FixtureRequest, fixture: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Path = request.getfixturevalue(fixture)
    taught: list[Teaching] = []
    family = type(parse_model(model))
    train = family.train

    def noted(self, teaching, workshop):  # type: ignore[no-untyped-def]
        taught.append(teaching)
        return train(self, teaching, workshop)

    monkeypatch.setattr(family, "train", noted)
    plain = opened(run).teacher.logits
    assert kd("train-teacher", "--model", model, "--folds", "3", "--force").code == 0
    data = opened(run).data
    rows = {draw: data.pool.index["train"][draw] for draw in range(data.draws)}
    *parts, whole = taught
    assert torch.equal(whole.index["train"], data.pool.index["train"])
    apart = [set(fold.tolist()) for part in parts for fold in part.index["apart"]]
    learned = [set(fold.tolist()) for part in parts for fold in part.index["train"]]
    assert len(apart) == 3 * data.draws
    assert all(not held & seen for held, seen in zip(apart, learned, strict=True))
    assert sorted(row for held in apart for row in held) == sorted(
        row for of_draw in rows.values() for row in of_draw.tolist()
    )
    assert not torch.equal(opened(run).teacher.logits["train"], plain["train"])


def test_the_labels_of_a_fold_are_those_of_its_teacher(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--model", "tree:max_depth=2", "--folds", "4", "--force")
    experiment: Experiment = opened(tiny)
    data, logits = experiment.data, experiment.teacher.logits["train"][0]
    x, y, _ = data.pool.split("train")
    folds = stratified_folds(y, 4, data.seed, 0)
    from sklearn.tree import DecisionTreeClassifier

    for k in range(4):
        tree = DecisionTreeClassifier(max_depth=2).fit(x[folds != k].numpy(), y[folds != k].numpy())
        expected = torch.from_numpy(tree.predict_proba(x[folds == k].numpy()))
        torch.testing.assert_close(logits[folds == k].softmax(1), expected)


@pytest.mark.parametrize(("model", "folds"), [("forest:3", 5), ("gbdt:rounds=3", 5), ("tree", 1)])
def test_what_remembers_is_folded_unless_told_otherwise(kd: Kd, tiny: Path, model: str, folds: int) -> None:
    kd("train-teacher", "--model", model, "--force")
    assert opened(tiny).teacher.record.folds == folds
    assert "is up to date" in kd("train-teacher", "--model", model, "--folds", str(folds)).out


def test_more_folds_than_rows_are_refused(kd: Kd, tiny: Path) -> None:
    kd("gen-data", "gaussians", "--n-samples", "50", "--run", "small")
    outcome = kd("train-teacher", "--folds", "60")
    assert outcome.code == 1
    assert "40 training examples are too few for 60 folds" in outcome.err


def probabilities(kd: Kd, run: Path, *arguments: str) -> Mapping[str, Tensor]:
    """Train a teacher; returns its probabilities on each split, `(draws, n, n_classes)`."""
    outcome = kd("train-teacher", *arguments, "--force")
    assert outcome.code == 0, outcome.err
    return {split: logits.double().softmax(2) for split, logits in opened(run).teacher.logits.items()}


def test_an_ensemble_says_the_mean_of_what_teachers_with_its_seeds_say(
    kd: Kd, one_or_two_draws: Path
) -> None:
    run = one_or_two_draws
    networks = [probabilities(kd, run, "--seed", str(seed)) for seed in (6, 7, 8)]
    tree = probabilities(kd, run, "--model", "tree:max_depth=3", "--seed", "2")
    ensemble = probabilities(kd, run, "--seed", "2", "--ensemble", "3")
    mixed = probabilities(kd, run, "--seed", "2", "--model", "3*mlp:8", "--model", "tree:max_depth=3")
    for split, mean in ensemble.items():
        of_networks = torch.stack([of_seed[split] for of_seed in networks])
        torch.testing.assert_close(mean, of_networks.mean(0), rtol=1e-4, atol=1e-6)
        both = (of_networks.sum(0) + tree[split]) / 4
        torch.testing.assert_close(mixed[split], both, rtol=1e-4, atol=1e-6)


def test_members_that_are_trees_draw_their_rows(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--model", "tree:max_depth=3", "--ensemble", "2", "--force")
    thresholds = opened(tiny).teacher.load_tensors()["0.threshold"]
    assert thresholds.shape[:3] == (1, 1, 2)
    assert not torch.equal(thresholds[0, 0, 0], thresholds[0, 0, 1])


def test_an_ensemble_teaches_as_any_teacher_does(kd: Kd, one_or_two_draws: Path) -> None:
    run, mixed = one_or_two_draws, ("--model", "mlp:8", "--model", "forest:2", "--ensemble", "2")
    assert kd("train-teacher", *mixed, "--force", "--folds", "1").code == 0
    assert "is up to date" in kd("train-teacher", "--model", "2*mlp:8+2*forest:2", "--folds", "1").out
    refused = kd("train-teacher", *mixed[:4], "--folds", "1")
    assert refused.code == 1
    assert "ensemble = 2, not 1" in refused.err
    experiment = opened(run)
    data, teacher = experiment.data, experiment.teacher
    assert teacher.load_history() is None
    for split in ("train", "val", "test"):
        stored = teacher.load_model().predict(data.pool.x, data.pool.index[split])
        torch.testing.assert_close(stored, teacher.logits[split])
    for draw in range(data.draws):
        answers = OpenRun(experiment).teacher_of(draw).predict_proba(data.pool.split("test", draw).x)
        expected = teacher.logits["test"][draw].softmax(1)
        torch.testing.assert_close(torch.from_numpy(answers), expected)
    assert kd("distill", "--force").code == 0
    document = json.loads(kd("compare", "--json").out)["teacher"]
    assert document["model"] == "2*mlp:8+2*forest:2"
    assert document["cost"]["multiply_adds"] == 2 * 32
    assert kd("plot").code == 0
    assert "2*mlp:8+2*forest:2" in kd("show").out
    assert json.loads(kd("check", "--json").out)["damaged"] == 0


def test_a_recipe_names_an_ensemble_in_one_way_or_the_other(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, 'model = "mlp:8"', 'model = "2*mlp:8"')
    assert kd("train-teacher", "--force").code == 0
    edit_recipe(tiny, 'model = "2*mlp:8"', 'model = "mlp:8"')
    edit_recipe(tiny, "ensemble = 1", "ensemble = 2")
    assert "is up to date" in kd("train-teacher").out
    history = opened(tiny).teacher.load_history()
    assert history is not None
    assert history["train"].shape == (1, 1, 21)
    edit_recipe(tiny, 'model = "mlp:8"', 'model = "2*mlp:8+tree"')
    outcome = kd("train-teacher")
    assert outcome.code == 2
    assert "teacher: model '2*mlp:8+tree' has counts, but --ensemble 2 is given too" in outcome.err


def test_students_are_no_ensembles(kd: Kd, tiny: Path) -> None:
    outcome = kd("distill", "--model", "2*mlp:4")
    assert outcome.code == 2
    assert "model '2*mlp:4' is an ensemble, which only a teacher can be" in outcome.err


def test_rows_in_folds_are_labelled_by_ensembles(kd: Kd, tiny: Path) -> None:
    members = [probabilities(kd, tiny, "--folds", "3", "--seed", seed)["train"] for seed in ("0", "1")]
    ensemble = probabilities(kd, tiny, "--folds", "3", "--ensemble", "2")["train"]
    torch.testing.assert_close(ensemble, (members[0] + members[1]) / 2, rtol=1e-4, atol=1e-6)
    kd("train-teacher", "--model", "mlp:8+forest:2", "--force")
    assert opened(tiny).teacher.record.folds == 5


def test_a_member_that_diverges_is_named_and_all_are_needed(
    kd: Kd, two_draws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_last_member(monkeypatch)
    before = (two_draws / "teacher/meta.json").read_bytes()
    outcome = kd("train-teacher", "--epochs", "3", "--ensemble", "3", "--seed", "1", "--force")
    assert outcome.code == 1
    assert re.search(r"loss of mlp:8 with seed 5 in the teacher of draw \d became", outcome.err)
    assert "--keep-going" not in outcome.err
    assert (two_draws / "teacher/meta.json").read_bytes() == before


@pytest.mark.parametrize("models", [("mlp:8", "mlp:4"), ("2*mlp:8", "mlp:8,8")])
def test_an_ensemble_whose_training_was_cut_off_goes_on_and_ends_the_same(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, models: tuple[str, str]
) -> None:
    options = ("--batch-size", "50", "--epochs", "9", "--force")
    arguments = ("train-teacher", *(word for model in models for word in ("--model", model)), *options)
    assert kd(*arguments).code == 0
    before = (tiny / "teacher/model.safetensors").read_bytes()
    assert kd("train-teacher", "--force").code == 0
    monkeypatch.setattr(resuming, "SECONDS", 0.0)
    monkeypatch.setattr(resuming, "SHARE", 1e9)
    saved = resuming.KeptTraining.save

    def interrupted(self: resuming.KeptTraining, state: dict[str, Tensor]) -> None:
        saved(self, state)
        if (self.point.path.name, int(state["at"][2])) == ("teacher.1.0", 14):
            raise KeyboardInterrupt

    monkeypatch.setattr(resuming.KeptTraining, "save", interrupted)
    assert kd(*arguments).code == 130
    assert {path.name for path in (tiny / ".resume").iterdir()} >= {"teacher.0.0", "teacher.1.0"}
    steps: dict[str, list[int]] = {}

    def noted(self: resuming.KeptTraining, state: dict[str, Tensor]) -> None:
        steps.setdefault(self.point.path.name, []).append(int(state["at"][2]))

    monkeypatch.setattr(resuming.KeptTraining, "save", noted)
    assert kd(*arguments).code == 0
    assert steps["teacher.1.0"][0] == 15
    assert len(steps.get("teacher.0.0", [])) <= 1  # it went on from its end
    assert (tiny / "teacher/model.safetensors").read_bytes() == before
    assert not (tiny / ".resume").exists()
