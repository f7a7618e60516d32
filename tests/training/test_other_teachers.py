import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, interrupted_after_one_write, opened, students
from torch import Tensor

from kdcli.models import parse_model
from kdcli.progress import unwatched
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import student_sets
from kdcli.targets import UNTRAINED
from kdcli.training.material import Material, OtherTeachers
from kdcli.training.other_teachers import OtherTraining, other_teachers
from kdcli.training.students import resume_points
from kdcli.training.workshop import NotFiniteError


def others(
    folder: Path, *targets: str, model: str = "mlp:4", **settings: Any
) -> dict[str, dict[str, Tensor]]:
    """Train the teachers of two seeds that these targets need on a run."""
    experiment = opened(folder)
    asked = Students(
        **{"targets": targets, "models": (model,), "epochs": 40, "learning_rate": 0.05, **settings}
    )
    points = resume_points(experiment.run, parse_model(model))
    made = other_teachers(
        student_sets(asked),
        [0, 1],
        Material(experiment, experiment.teacher),
        OtherTraining(asked, points, {}, unwatched),
    )
    points.clear()
    return {kind: dict(logits) for kind, logits in made.items()}


def hits(folder: Path, logits: Tensor, split: str) -> float:
    pool = opened(folder).data.pool
    right = [(of_draw.argmax(-1) == pool.labels(split, draw)).double() for draw, of_draw in enumerate(logits)]
    return float(torch.stack(right).mean())


def test_only_what_targets_need_is_trained(two_draws: Path) -> None:
    assert others(two_draws, "labels", "soft", "shuffled") == {}
    assert list(others(two_draws, "self", "random", "soft")) == ["self", "untrained"]


@pytest.mark.parametrize("model", ["mlp:4", "tree:max_leaf_nodes=4"])
def test_a_teacher_of_the_students_own_shape_knows_the_labels(two_draws: Path, model: str) -> None:
    made = others(two_draws, "self", model=model)["self"]
    for split, n in (("train", 160), ("val", 40)):
        assert made[split].shape == (2, 2, n, 2)
        for seed in range(2):
            assert hits(two_draws, made[split][:, seed], split) > 0.9


def test_each_seed_has_teachers_of_its_own_of_which_one_never_learns(two_draws: Path) -> None:
    made, longer = (others(two_draws, "self", "random", epochs=epochs) for epochs in (40, 60))
    for kind in ("self", "untrained"):
        assert not torch.allclose(made[kind]["val"][:, 0], made[kind]["val"][:, 1])
        assert torch.equal(made[kind]["val"], longer[kind]["val"]) is (kind == "untrained")


def test_the_untrained_teacher_is_a_network_of_the_teachers_shape(kd: Kd, tiny: Path) -> None:
    assert str(opened(tiny).teacher.model) == "mlp:8"
    eight = others(tiny, "random")["untrained"]["train"]
    assert kd("train-teacher", "--model", "mlp:64,64", "--force").code == 0
    wide = others(tiny, "random")["untrained"]["train"]
    assert not torch.allclose(eight, wide)
    assert kd("train-teacher", "--model", "tree", "--force").code == 0
    assert UNTRAINED == "mlp:64,64"
    torch.testing.assert_close(others(tiny, "random")["untrained"]["train"], wide)


def test_a_seed_of_them_does_not_depend_on_other_seeds(kd: Kd, tiny: Path) -> None:
    targets = ("self", "random")
    assert kd("distill", "-t", ",".join(targets), "-T", "2", "--model", "mlp:3", "--seeds", "3").code == 0
    together = [students(tiny, f"{name}-T2-mlp3").load_tested() for name in targets]
    assert kd("distill", "-t", "self", "-T", "2", "--model", "mlp:3", "--seeds", "1", "--force").code == 0
    assert kd("distill", "-t", "random", "-T", "2", "--model", "mlp:3", "--seeds", "1", "--force").code == 0
    assert kd("distill", "-t", ",".join(targets), "-T", "2", "--model", "mlp:3", "--seeds", "3").code == 0
    for name, before in zip(targets, together, strict=True):
        joined = students(tiny, f"{name}-T2-mlp3").load_tested()
        torch.testing.assert_close(joined, before, rtol=1e-3, atol=1e-4)


def test_students_of_an_untrained_teacher_learn_nothing_and_those_of_their_own_kind_do(
    kd: Kd, tiny: Path
) -> None:
    assert kd("distill", "-t", "self,random", "-T", "1", "--epochs", "150", "--seeds", "4").code == 0
    accuracy = {
        name: sum(students(tiny, f"{name}-T1-mlp4").metrics["accuracy"][0]) / 4 for name in ("self", "random")
    }
    assert accuracy["self"] > 0.9 > accuracy["random"]
    assert students(tiny, "self-T1-mlp4").meta.parents.keys() == {"data"}
    assert students(tiny, "random-T1-mlp4").meta.parents.keys() == {"data", "teacher"}


def test_new_examples_are_labelled_by_them_too(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data", "wine", "--draws", "1").code == 0
    assert kd("train-teacher", "--model", "tree:max_leaf_nodes=4").code == 0
    command = (
        "distill",
        "-t",
        "self,random",
        "-T",
        "1",
        "--model",
        "mlp:4",
        "--seeds",
        "2",
        "--epochs",
        "60",
    )
    assert kd(*command, "--transfer", "train:60+rest+munge:2").code == 0
    name = "self-T1-n60-rest-munge2-mlp4"
    assert max(students(outputs / "wine", name).metrics["accuracy"][0]) > 0.6


def test_a_teacher_that_would_remember_its_labels_teaches_nothing_else(kd: Kd, tiny: Path) -> None:
    for model in ("tree", "forest:3", "gbdt"):
        outcome = kd("distill", "-t", "self", "--model", model)
        assert outcome.code == 2
        assert f"target self: a teacher {model} memorises the labels" in outcome.err
    assert kd("distill", "-t", "self", "--model", "tree:max_leaf_nodes=4").code == 0


def test_an_interrupted_training_goes_on_to_the_same_students(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("distill", "-t", "self,random", "-T", "2", "--model", "mlp:5")
    assert kd(*command).code == 0
    names = [f"{name}-T2-mlp5" for name in ("self", "random")]
    before = [students(tiny, name).load_tested() for name in names]
    for name in names:
        shutil.rmtree(tiny / "students" / name)
    with interrupted_after_one_write(monkeypatch):
        assert kd(*command).code == 130
    assert kd(*command).code == 0
    for name, tested in zip(names, before, strict=True):
        assert torch.equal(students(tiny, name).load_tested(), tested)
    assert not (tiny / ".resume").exists()


def test_seeds_whose_teacher_is_lost_are_lost_and_others_are_not(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_lost(*arguments: Any) -> OtherTeachers:
        made = other_teachers(*arguments)
        for logits in made["self"].values():
            logits[:, 1] = torch.nan
        return made

    monkeypatch.setattr("kdcli.training.students.other_teachers", one_lost)
    command = ("distill", "-t", "labels,self", "-T", "4", "--seeds", "3", "--model", "mlp:5", "--jobs", "1")
    assert kd(*command).code == 1
    assert kd(*command, "--keep-going").code == 0
    labels, own = (students(tiny, name).set for name in ("labels-mlp5", "self-T4-mlp5"))
    assert (labels.seeds, own.seeds, own.diverged) == ((0, 1, 2), (0, 2), (1,))


def test_a_teacher_whose_loss_is_infinite_is_named(tiny: Path) -> None:
    with pytest.raises(NotFiniteError, match=r"of the self teacher mlp:4 of seed 0"):
        others(tiny, "self", learning_rate=1e30)
