from pathlib import Path

import pytest
from harness import Kd

from kdcli.evidence.cautions import WeakTeacher
from kdcli.evidence.conclusions import conclude
from kdcli.evidence.gather import gather
from kdcli.evidence.trainings import NearChance, Overfitted, SameLabels, StillFalling
from kdcli.runs.experiment import Experiment
from kdcli.store import Store

LINEAR = ("--model", "linear", "--seeds", "2", "--epochs", "2")


def told(kind: type) -> list:  # type: ignore[type-arg]
    """The cautions of a kind about the current run."""
    experiment = Experiment.open(Store().existing_run(None))
    conclusions = conclude(experiment, gather(experiment))
    return [caution for caution in conclusions.cautions if isinstance(caution, kind)]


@pytest.fixture
def points(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data", "gaussians", "--n-samples", "300", "--n-test", "600").code == 0
    assert kd("train-teacher", "--model", "mlp:8", "--epochs", "60", "--learning-rate", "0.05").code == 0


def distill(kd: Kd, *options: str) -> None:
    assert kd("distill", "--target", "labels,soft", "--model", "mlp:4", "--seeds", "2", *options).code == 0


def test_students_that_are_cut_short(kd: Kd, points: None) -> None:
    distill(kd, "--epochs", "8", "--learning-rate", "0.01")
    (caution,) = told(StillFalling)
    assert {students.set.target for students in caution.students} == {"labels", "soft"}
    assert caution.longer.options["epochs"] == 16
    assert "still falls at the last epoch" in " ".join(kd("compare").out.split())


def test_students_that_are_trained_out(kd: Kd, points: None) -> None:
    distill(kd, "--epochs", "400", "--learning-rate", "0.05")
    assert not told(StillFalling)
    assert not told(NearChance)
    assert not told(WeakTeacher)


def test_a_control_that_overfits(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data", "moons", "--n-samples", "60", "--n-test", "200", "--draws", "1").code == 0
    assert kd("train-teacher", "--model", "mlp:8", "--epochs", "30").code == 0
    options = ("--target", "labels,soft", "--model", "mlp:64,64", "--seeds", "2", "--learning-rate", "0.02")
    assert kd("distill", *options, "--epochs", "400", "--batch-size", "0").code == 0
    (caution,) = told(Overfitted)
    assert caution.control.set.target == "labels"
    assert caution.risen > 0.05
    assert caution.best.options["select"] == "best"
    assert kd("distill", *options, "--epochs", "400", "--select", "best", "--force").code == 0
    assert not told(Overfitted)


def test_models_near_chance(kd: Kd, outputs: Path) -> None:
    lines = [f"{k * 7919 % 101},{k * 104729 % 97},{'ab'[k * k * k % 7 % 2]}" for k in range(400)]
    Path("noise.csv").write_text("u,v,y\n" + "\n".join(lines) + "\n")
    assert kd("gen-data", "noise.csv", "--label", "y", "--draws", "1").code == 0
    assert kd("train-teacher", "--model", "linear", "--epochs", "2").code == 0
    assert (
        kd("distill", "--target", "labels,soft", "--model", "linear", "--seeds", "2", "--epochs", "2").code
        == 0
    )
    (caution,) = told(NearChance)
    before = len(caution.models)
    assert before >= 2
    assert kd("distill", "--target", "random", "--model", "linear", "--seeds", "2").code == 0
    (caution,) = told(NearChance)
    assert len(caution.models) == before  # an untrained teacher is to be at chance
    assert "Hardly better than chance" in " ".join(kd("compare").out.split())


def test_hard_labels_that_are_the_labels(kd: Kd, outputs: Path) -> None:
    lines = [f"{k % 40},{'ab'[k % 40 > 19]}" for k in range(200)]
    Path("clear.csv").write_text("u,y\n" + "\n".join(lines) + "\n")
    assert kd("gen-data", "clear.csv", "--label", "y", "--draws", "1").code == 0
    assert kd("train-teacher", "--model", "tree").code == 0
    assert (
        kd("distill", "--target", "labels,hard", "--model", "linear", "--seeds", "2", "--epochs", "2").code
        == 0
    )
    (caution,) = told(SameLabels)
    assert caution.n_train == Experiment.open(Store().existing_run(None)).data.description.sizes["train"]
    assert "hard labels equal the true labels here" in " ".join(kd("compare").out.split())


def test_a_teacher_that_is_worse_than_the_control(kd: Kd, points: None) -> None:
    assert (
        kd("train-teacher", "--model", "mlp:8", "--epochs", "1", "--learning-rate", "1e-6", "--force").code
        == 0
    )
    distill(kd, "--epochs", "200", "--learning-rate", "0.05")
    (caution,) = told(WeakTeacher)
    assert caution.control.set.target == "labels"
    assert caution.difference > 0.02
    assert "such a teacher has little to teach" in " ".join(kd("compare").out.split())


def test_good_models_of_a_rare_class_are_not_near_chance(kd: Kd, outputs: Path) -> None:
    lines = [f"{k},{'rare' if k % 100 == 7 else 'usual'},{k % 100}" for k in range(4000)]
    Path("rare.csv").write_text("n,y,u\n" + "\n".join(lines) + "\n")
    assert kd("gen-data", "rare.csv", "--label", "y", "--draws", "1", "--drop", "n").code == 0
    assert kd("train-teacher", "--model", "tree").code == 0
    students = ("--target", "labels,smooth", "--model", "tree", "--seeds", "2", "--smoothing", "0.3")
    assert kd("distill", *students).code == 0
    assert not told(NearChance)
