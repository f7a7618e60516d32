from pathlib import Path

import pytest
import torch
from harness import Kd, opened

from kdcli.models import parse_model
from kdcli.models.family import Teaching
from kdcli.runs.experiment import Experiment
from kdcli.teachers.folds import stratified_folds


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
    assert "60 folds of 40 training examples" in outcome.err
