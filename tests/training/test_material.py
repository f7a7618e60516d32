from dataclasses import replace
from pathlib import Path

import pytest
import torch
from harness import Kd, opened

from kdcli.data.dataset import stratified_split
from kdcli.rng import generator
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import student_sets
from kdcli.runs.transfer import Transfer
from kdcli.targets import balanced_weights
from kdcli.training.material import Material, teacher_sizes, teacher_teaching

SETS = student_sets(Students(targets=("labels", "soft", "bayes-soft")))


def material(run: Path, size: int = 0) -> Material:
    experiment = opened(run)
    return Material(experiment, experiment.teacher, Transfer(size))


@pytest.fixture
def alone(tiny_run: Path) -> Path:
    """The folder of a finished run of one draw, which is not to be changed."""
    return tiny_run / "tiny"


def test_students_are_taught_what_the_data_and_teacher_of_their_draw_say(two_draws: Path) -> None:
    made = material(two_draws)
    pool, teacher = made.data.pool, made.experiment.teacher
    taught = made.teaching(SETS[:2], [0, 1])
    assert (taught.draws, taught.n_train, taught.seeds) == (2, 160, [0, 1])
    labels, soft = taught.lessons
    for split in ("train", "val"):
        for draw in range(2):
            rows = taught.index[split][draw]
            assert torch.equal(rows, pool.rows(split, draw))
            assert torch.equal(taught.labels[split][draw].argmax(1), pool.labels(split, draw))
            assert torch.equal(labels.targets[split][draw], taught.labels[split][draw])
            softened = (teacher.logits[split][draw].double() / 4).softmax(1)
            torch.testing.assert_close(soft.targets[split][draw], softened)


def test_classes_are_weighted_by_their_shares_of_the_training_examples(two_draws: Path) -> None:
    plain = material(two_draws)
    assert plain.teaching(SETS[:1], [0]).weights is None
    made = replace(plain, transfer=Transfer(50), class_weight="balanced")
    for taught in (made.teaching(SETS[:1], [0]), teacher_teaching(made.data, 0, "balanced")):
        assert taught.weights is not None
        y = {split: labels.argmax(-1) for split, labels in taught.labels.items()}
        for split in ("train", "val"):
            expected = balanced_weights(y[split], y["train"], 2)
            assert torch.equal(taught.weights[split], expected)


def test_the_posterior_is_that_of_each_draws_examples(two_draws: Path) -> None:
    made = material(two_draws)
    posterior = made.data.pool.posterior
    assert posterior is not None
    taught = made.target(SETS[2], "train")
    torch.testing.assert_close(taught, posterior[made.data.pool.index["train"]])


def test_a_transfer_set_is_chosen_class_by_class_in_every_draw(two_draws: Path) -> None:
    made = material(two_draws, size=50)
    taught = made.teaching(SETS[:2], [0])
    assert (taught.n_train, made.sizes(SETS[:2], 1).train) == (50, 50)
    for draw in range(2):
        rows = taught.index["train"][draw]
        assert set(rows.tolist()) < set(made.data.pool.rows("train", draw).tolist())
        assert made.data.pool.y[rows].bincount().tolist() == [25, 25]
        assert torch.equal(taught.labels["train"][draw].argmax(1), made.data.pool.y[rows])
    for draw, places in enumerate(made.taught):
        y, random = made.data.pool.labels("train", draw), generator("transfer", 0, draw)
        assert torch.equal(places, stratified_split(y, 50, random)[1].sort().values)
    whole, soft = (m.target(SETS[1], "train") for m in (material(two_draws), made))
    for draw, places in enumerate(made.taught):
        assert torch.equal(soft[draw], whole[draw][places])


def test_what_is_left_to_chance_is_drawn_anew_for_every_seed_and_draw(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data", "wine", "--draws", "2").code == 0
    assert kd("train-teacher", "--model", "mlp:8", "--epochs", "20").code == 0
    made = material(outputs / "wine")
    soft, shuffled = student_sets(Students(targets=("soft", "shuffled")))
    expected = made.targets(soft, [3, 8], {})
    taught = made.targets(shuffled, [3, 8], {})
    for split, targets in taught.items():
        assert targets.shape == (2, 2, *expected[split].shape[1:])
        top = expected[split].argmax(-1)
        for place in range(2):
            assert torch.equal(targets[:, place].argmax(-1), top)
            sorted_ones = (values.sort(-1).values for values in (targets[:, place], expected[split]))
            torch.testing.assert_close(*sorted_ones)
        assert not torch.equal(targets[:, 0], targets[:, 1])
        moved = targets[:, 0] != expected[split]
        assert not torch.equal(moved[0], moved[1])
        assert torch.equal(
            made.targets(shuffled, [8], {})[split][:, 0], targets[:, 1]
        )  # whatever else the record has


def test_a_target_of_other_teachers_is_made_of_the_logits_of_each_seed(two_draws: Path) -> None:
    made = material(two_draws, size=50)
    (own,) = student_sets(Students(targets=("self",), temperatures=(2.0,)))
    random = torch.Generator().manual_seed(0)
    logits = {
        "train": torch.randn(2, 3, 160, 2, generator=random),
        "val": torch.randn(2, 3, 40, 2, generator=random),
    }
    taught = made.targets(own, [0, 1, 2], {"self": logits})
    torch.testing.assert_close(taught["val"], (logits["val"].double() / 2).softmax(-1))
    for draw, places in enumerate(made.taught):
        softened = (logits["train"][draw].double() / 2).softmax(-1)
        torch.testing.assert_close(taught["train"][draw], softened[:, places])


def test_the_first_draw_of_several_is_taught_as_the_only_one_is(two_draws: Path, alone: Path) -> None:
    of_one = [SETS[0], SETS[2]]  # which do not depend on a teacher
    several, only = (material(run, 50).teaching(of_one, [0]) for run in (two_draws, alone))
    for split in ("train", "val"):
        assert torch.equal(several.x[several.index[split][0]], only.x[only.index[split][0]])
        assert torch.equal(several.labels[split][:1], only.labels[split])
        for mine, theirs in zip(several.lessons, only.lessons, strict=True):
            assert torch.equal(mine.targets[split][:1], theirs.targets[split])


def test_sizes_count_the_draws(two_draws: Path, alone: Path) -> None:
    several, only = material(two_draws), material(alone)
    assert several.sizes(SETS, 5) == replace(only.sizes(SETS, 5), draws=2)
    assert several.sizes(SETS, 5, ["test", "val"]).predicted == several.sizes(SETS, 5).predicted + 40
    shuffled = student_sets(Students(targets=("labels", "shuffled")))
    assert [several.sizes(sets, 5).by_seed for sets in (SETS, shuffled)] == [False, True]
    assert teacher_sizes(several.data) == replace(teacher_sizes(only.data), draws=2)
    assert teacher_sizes(several.data).predicted == 160 + 40 + 400


def test_teachers_are_taught_the_labels_of_their_draw(two_draws: Path) -> None:
    data = opened(two_draws).data
    taught = teacher_teaching(data, seed=7, class_weight="none")
    assert not taught.replicates
    assert (taught.role, taught.seeds, taught.draws) == ("teacher", [7], 2)
    assert set(taught.predicted) == set(taught.index) == {"train", "val", "test"}
    (lesson,) = taught.lessons
    for split in ("train", "val"):
        for draw in range(2):
            assert torch.equal(lesson.targets[split][draw].argmax(1), data.pool.labels(split, draw))
    assert taught.labels == lesson.targets


def test_models_of_data_with_features_of_many_kinds_learn_from_standardised_ones(
    kd: Kd, outputs: Path, tiny_run: Path
) -> None:
    assert kd("gen-data", "wine", "--draws", "2").code == 0
    made = Material(opened(outputs / "wine"), None, Transfer(60))
    taught = made.teaching(student_sets(Students(targets=("labels",))), [0])
    assert taught.standardise
    assert teacher_teaching(made.data, seed=0, class_weight="none").standardise
    assert float(taught.x.std(0).max()) > 100  # the features themselves stay as they are
    assert taught.index["train"].shape == (2, 60)
    plain = material(tiny_run / "tiny")
    assert not plain.teaching(SETS[:1], [0]).standardise
    assert not teacher_teaching(plain.data, seed=0, class_weight="none").standardise
