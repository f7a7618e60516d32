import pytest
import torch
from measured import evidence, students, teacher, values

from kdcli.evidence.cautions import (
    BeyondTeacher,
    BiasedCalibration,
    Coarse,
    Edited,
    NearlyHard,
    SameScores,
    SeedsLeftOut,
    SingleSeed,
    cautions,
)


def test_nothing_to_warn_of() -> None:
    assert cautions(evidence(students("labels", 0.8), students("soft", 0.9), teacher=teacher(0.95))) == []


def test_soft_labels_that_are_nearly_hard() -> None:
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    sets = students("labels", 0.8), students("soft", 0.8), students("soft", 0.82, temperature=0.05)
    (caution,) = cautions(evidence(*sets, teacher=teacher(0.95), teacher_logits=logits))
    assert isinstance(caution, NearlyHard)
    assert caution.temperature == 0.05
    assert caution.top == pytest.approx(1.0)


def test_a_temperature_that_makes_no_difference() -> None:
    sets = [
        students("labels", 0.8),
        students("soft", values(0.85), values(0.2), temperature=500.0),
        students("soft", values(0.85), values(0.2), temperature=1000.0),
        students("soft", 0.9, temperature=4.0),
    ]
    (caution,) = cautions(evidence(*sets))
    assert isinstance(caution, SameScores)
    assert (caution.students.set.temperature, caution.other.set.temperature) == (500.0, 1000.0)


def test_students_that_are_better_than_their_teacher() -> None:
    sets = students("labels", 0.95), students("soft", 0.9)
    (caution,) = cautions(evidence(*sets, teacher=teacher(0.8)))
    assert isinstance(caution, BeyondTeacher)
    assert caution.students.set.target == "soft"  # labels need no teacher
    assert caution.difference == pytest.approx(0.1)
    low, high = caution.interval
    assert 0 < low < caution.difference < high


def test_one_seed_is_answered_with_a_command_that_trains_ten() -> None:
    sets = [students(target, 0.8, seeds=1) for target in ("labels", "hard")]
    (caution,) = cautions(evidence(*sets, students("labels", 0.8, seeds=1, model="mlp:3")))
    assert isinstance(caution, SingleSeed)
    assert len(caution.students) == 3
    assert caution.more_seeds.options == {"targets": ("labels", "hard"), "seeds": 10}


def test_seeds_that_were_left_out() -> None:
    lacking = students("soft", 0.9, diverged=[1, 2])
    (caution,) = cautions(evidence(students("labels", 0.8), lacking))
    assert isinstance(caution, SeedsLeftOut)
    assert caution.seeds == {"diverged": (1, 2)}


def test_comparisons_that_show_no_difference_of_a_point() -> None:
    noisy = values(0.8, spread=0.3)
    (caution,) = cautions(evidence(students("labels", 0.8), students("soft", noisy, noisy)))
    assert isinstance(caution, Coarse)
    assert caution.detectable > 0.01
    assert caution.n_test == 400


def test_verdicts_on_the_calibration_error_and_edits() -> None:
    made = evidence(
        students("labels", 0.8),
        students("soft", 0.9),
        compared=("accuracy", "nll", "ece"),
        edits=["teacher: made with another seed"],
    )
    assert cautions(made) == [Edited("teacher: made with another seed"), BiasedCalibration()]
