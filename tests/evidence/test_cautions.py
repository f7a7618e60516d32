from dataclasses import replace

import pytest
import torch
from measured import SEVERAL_DRAWS, evidence, students, teacher, values
from scipy.stats import ttest_1samp

from kdcli.evidence.cautions import (
    BeyondTeacher,
    Calibration,
    Caution,
    Coarse,
    Edited,
    NearlyHard,
    OneDraw,
    SameScores,
    SeedsLeftOut,
    SingleSeed,
    WeakTeacher,
    cautions,
)
from kdcli.evidence.gather import Evidence
from kdcli.evidence.verdicts import Verdict, Versus


def cautions_but_one_draw(made: Evidence) -> list[Caution]:
    """Return the cautions, apart from the one on a single draw, which must be among them."""
    told = cautions(made)
    assert OneDraw(SEVERAL_DRAWS) in told
    return [caution for caution in told if not isinstance(caution, OneDraw)]


def test_nothing_to_warn_of() -> None:
    means = [0.9, 0.92, 0.89]
    sets = students("labels", [mean - 0.1 for mean in means]), students("soft", means)
    assert cautions(evidence(*sets, teacher=teacher([0.99] * 3))) == []


def test_verdicts_on_one_draw_are_answered_with_the_command_that_makes_several() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9))
    assert cautions(made) == [OneDraw(SEVERAL_DRAWS)]
    without_verdict = evidence(students("labels", 0.8, seeds=1), students("soft", 0.9, seeds=1))
    assert OneDraw(SEVERAL_DRAWS) not in cautions(without_verdict)


def test_soft_labels_that_are_nearly_hard() -> None:
    logits = torch.tensor([[[0.0, 1.0], [2.0, 0.0]]])
    sets = students("labels", 0.8), students("soft", 0.9), students("soft", 0.9, temperature=0.05)
    (caution,) = cautions_but_one_draw(evidence(*sets, teacher=teacher(0.95), teacher_logits=logits))
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
    (caution,) = cautions_but_one_draw(evidence(*sets))
    assert isinstance(caution, SameScores)
    assert (caution.students.set.temperature, caution.other.set.temperature) == (500.0, 1000.0)


def test_a_temperature_that_was_chosen_is_no_other_than_the_same_that_was_given() -> None:
    sets = [
        students("labels", 0.8),
        students("soft", values(0.85), values(0.2), temperature=2.0),
        students("soft", values(0.85), values(0.2), temperature="auto", chosen=2.0),
    ]
    assert cautions_but_one_draw(evidence(*sets)) == []
    (caution,) = cautions_but_one_draw(
        evidence(*sets, students("soft", values(0.85), values(0.2), temperature="auto", chosen=8.0, name="b"))
    )[:1]
    assert isinstance(caution, SameScores)


def test_students_that_are_better_than_their_teacher() -> None:
    sets = students("labels", 0.7), students("soft", 0.9)
    (caution,) = cautions_but_one_draw(evidence(*sets, teacher=teacher(0.8)))
    assert isinstance(caution, BeyondTeacher)
    assert caution.students.set.target == "soft"
    assert caution.difference == pytest.approx(0.1)
    low, high = caution.interval
    assert 0 < low < caution.difference < high


@pytest.mark.parametrize("seeds", [1, 2])
def test_students_that_are_better_than_the_teacher_of_each_draw(seeds: int) -> None:
    sets = students("labels", [0.7, 0.8, 0.6], seeds=seeds), students("soft", [0.8, 0.9, 0.7], seeds=seeds)
    (caution,) = cautions(evidence(*sets, teacher=teacher([0.75, 0.84, 0.66])))
    assert isinstance(caution, BeyondTeacher)
    assert caution.difference == pytest.approx(0.05)
    assert caution.interval == pytest.approx(tuple(ttest_1samp([0.05, 0.06, 0.04], 0).confidence_interval()))
    sometimes = cautions(evidence(*sets, teacher=teacher([0.85, 0.8, 0.66])))
    assert not any(isinstance(caution, BeyondTeacher) for caution in sometimes)


def test_a_control_that_is_better_than_the_teacher() -> None:
    sets = students("labels", 0.95), students("soft", 0.7)
    (caution,) = cautions_but_one_draw(evidence(*sets, teacher=teacher(0.8)))
    assert isinstance(caution, WeakTeacher)
    assert caution.control.set.target == "labels"
    assert caution.difference == pytest.approx(0.15)


def test_temperatures_are_told_apart_by_any_draw() -> None:
    sets = [
        students("labels", [0.8, 0.7, 0.75]),
        students("soft", [values(0.9), values(0.85), values(0.83)], temperature=500.0),
        students("soft", [values(0.9), values(0.85), values(0.8)], temperature=1000.0),
    ]
    assert not any(isinstance(caution, SameScores) for caution in cautions(evidence(*sets)))


def test_one_seed_is_answered_with_a_command_that_trains_ten() -> None:
    sets = [students(target, 0.8, seeds=1) for target in ("labels", "hard")]
    (caution,) = cautions(evidence(*sets, students("labels", 0.8, seeds=1, model="mlp:3")))
    assert isinstance(caution, SingleSeed)
    assert len(caution.students) == 3
    assert caution.more_seeds.options == {"targets": ("labels", "hard"), "seeds": 10}


def test_one_seed_is_enough_where_there_are_several_draws() -> None:
    sets = [
        students(target, mean, seeds=1) for target, mean in (("labels", [0.8, 0.81]), ("hard", [0.9, 0.91]))
    ]
    assert not any(isinstance(caution, SingleSeed) for caution in cautions(evidence(*sets)))


def test_seeds_that_were_left_out() -> None:
    lacking = students("soft", 0.9, diverged=[1, 2])
    (caution,) = cautions_but_one_draw(evidence(students("labels", 0.8), lacking))
    assert isinstance(caution, SeedsLeftOut)
    assert caution.seeds == {"diverged": (1, 2)}


def test_comparisons_that_show_no_difference_of_a_point() -> None:
    noisy = values(0.8, spread=0.3)
    (caution,) = cautions_but_one_draw(evidence(students("labels", 0.8), students("soft", noisy, noisy)))
    assert isinstance(caution, Coarse)
    assert caution.detectable > 0.01
    assert caution.n_test == 400


def test_what_limits_several_draws_is_their_number() -> None:
    made = evidence(students("labels", [0.8, 0.8, 0.8]), students("soft", [0.8, 0.9, 0.75]))
    (caution,) = cautions(made)
    assert isinstance(caution, Coarse)
    assert caution.limited_by == "draws"


@pytest.mark.parametrize(
    ("drawing", "draws", "overlapping"),
    [("split", 4, False), ("split", 5, True), ("sampled", 5, False), ("test kept", 5, False)],
)
def test_splits_overlap_where_the_examples_they_share_count_for_more_than_their_number(
    drawing: str, draws: int, overlapping: bool
) -> None:
    """Their variance is that of (1 / draws + n_test / n_train), and the test split is a quarter."""
    taught = [0.8, 0.9, 0.75, 0.8, 0.85][:draws]
    sets = students("labels", [0.8] * draws), students("soft", taught)
    (caution,) = cautions(evidence(*sets, drawing=drawing))
    assert isinstance(caution, Coarse)
    assert caution.limited_by == "draws"
    assert caution.overlapping is overlapping


def test_edits() -> None:
    sets = students("labels", 0.8), students("soft", 0.9)
    made = evidence(*sets, edits=["teacher: made with another seed"])
    assert cautions_but_one_draw(made) == [Edited("teacher: made with another seed")]


def test_only_the_teachers_own_soft_labels_are_nearly_hard() -> None:
    def nearly_hard(target: str) -> list[float]:
        sure = torch.tensor([[9.0, -9.0], [-9.0, 9.0]])
        made = evidence(students("labels", 0.8), students(target, 0.9, temperature=1.0))
        found = cautions(replace(made, teacher_logits=sure))
        return [caution.temperature for caution in found if isinstance(caution, NearlyHard)]

    assert [nearly_hard(target) for target in ("soft", "self", "random")] == [[1.0], [], []]


def test_examples_are_what_lacks_where_no_two_predictions_differ() -> None:
    same = (torch.arange(400) < 380).double().expand(3, -1)
    sets = students("labels", same, seeds=3), students("soft", same, seeds=3)
    (caution,) = [c for c in cautions(evidence(*sets)) if isinstance(c, Coarse)]
    assert caution.limited_by == "examples"
    assert caution.detectable == pytest.approx(7 / 400)  # of two comparisons


@pytest.mark.parametrize(
    ("raw", "scaled", "expected"),
    [
        ("worse", "no difference shown", ("worse", "no difference shown")),
        ("worse", "better", ("worse", "better")),
        ("better", "better", None),
    ],
)
def test_verdicts_on_nll_that_are_a_matter_of_calibration(
    raw: Verdict, scaled: Verdict, expected: tuple[str, str] | None
) -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9))
    sets = [
        replace(one, versus={"nll": of("nll", raw), "nll_scaled": of("nll_scaled", scaled)})
        if one.versus
        else one
        for one in made.students
    ]
    told = [c for c in cautions(replace(made, students=sets)) if isinstance(c, Calibration)]
    assert [(c.verdict, c.scaled) for c in told] == ([expected] if expected else [])


def of(metric: str, verdict: Verdict) -> Versus:
    return Versus(metric, "labels-mlp4", True, 0.1, 5, (0.05, 0.15), p_value=0.01, verdict=verdict)
