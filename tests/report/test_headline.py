import math

import pytest
import torch
from measured import N, evidence, students, values

from kdcli.evidence.findings import findings
from kdcli.evidence.gather import Evidence
from kdcli.evidence.verdicts import StudentsMeasured
from kdcli.report.headline import headline
from kdcli.report.words import number

INFINITE = torch.where(torch.arange(N) < 40, math.inf, values(0.3))


def said(made: Evidence) -> str:
    return headline(made, findings(made))


def interval(measured: StudentsMeasured, metric: str, unit: str) -> str:
    low, high = sorted(abs(end) for end in measured.versus[metric].interval or ())
    return f"[{number(low, unit)}, {number(high, unit)}]"


def test_the_largest_gain_is_told_with_its_model_interval_and_source() -> None:
    sets = students("labels", 0.8), students("hard", 0.895), students("soft", 0.9)
    made = evidence(*sets)
    gain = interval(made.students[2], "accuracy", "%")
    assert said(made) == (
        "On these training data, soft labels at T = 4 help mlp:4 most, by 10.00 points of accuracy over "
        f"labels {gain}. Nearly all of it comes from label cleaning: hard labels alone bring 95 % of the "
        "gain."
    )


def test_a_target_that_brings_half_of_a_gain_is_part_of_it_and_one_that_brings_nothing_is_not_told() -> None:
    part = said(evidence(students("labels", 0.8), students("hard", 0.85), students("soft", 0.9)))
    assert "Part of it comes from label cleaning: hard labels alone bring 50 % of the gain." in part
    nothing = said(evidence(students("labels", 0.8), students("hard", 0.8), students("soft", 0.9)))
    assert "help mlp:4, by 10.00 points" in nothing  # it alone
    assert "comes from" not in nothing


def test_the_source_of_a_gain_at_another_temperature_than_the_largest() -> None:
    soft = students("soft", 0.88), students("soft", 0.9, temperature=8.0)
    validation = {soft[0].name: 0.9, soft[1].name: 0.8}
    sets = students("labels", 0.8), students("hard", 0.84), *soft
    told = said(evidence(*sets, on_validation=lambda folder, _: validation[folder]))
    assert "soft labels at T = 8 help mlp:4 most, by 10.00 points" in told
    assert "Part of what soft labels at T = 4 gain comes from label cleaning: hard labels" in told
    assert "bring 50 % of the gain." in told


def test_other_models_that_gain_are_counted() -> None:
    sets = [
        students(target, accuracy, model=model)
        for model, taught in (("mlp:4", 0.9), ("mlp:3", 0.85), ("mlp:2", 0.8))
        for target, accuracy in (("labels", 0.8), ("hard", taught))
    ]
    assert said(evidence(*sets)).endswith("Of 2 other models, 1 gains from some target.")
    assert said(evidence(*sets[:2], *sets[4:])).endswith("The other model does not gain from any target.")


def test_a_loss_is_told_where_nothing_helps() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.7))
    loss = interval(made.students[1], "accuracy", "%")
    assert said(made) == (
        "On these training data, no target is shown to help, and soft labels at T = 4 harm mlp:4, by 10.00 "
        f"points of accuracy against labels {loss}."
    )


def test_that_nothing_is_learned_from_an_untrained_teacher_is_no_news() -> None:
    sets = students("labels", 0.8), students("random", 0.1), students("soft", 0.9)
    told = said(evidence(*sets))
    assert "random" not in told
    assert "soft labels at T = 4 help mlp:4" in told
    assert said(evidence(*sets[:2])) == ""
    open_case = evidence(sets[0], students("hard", 0.8), sets[1])
    assert "no target is shown to help or harm mlp:4" in said(open_case)


def test_targets_that_harm_are_told_beside_those_that_help() -> None:
    made = evidence(students("labels", 0.8), students("hard", 0.85), students("soft", 0.7))
    gain = interval(made.students[1], "accuracy", "%")
    assert said(made) == (
        f"On these training data, hard labels help mlp:4, by 5.00 points of accuracy over labels {gain}. "
        "Soft labels at T = 4 harm mlp:4, by 10.00 points of accuracy."
    )
    sets = students("labels", 0.8), students("hard", 0.85), students("smooth", 0.78), students("soft", 0.7)
    several = "Soft labels at T = 4 and smooth labels with ε = 0.1 harm mlp:4, by up to 10.00 points"
    assert said(evidence(*sets)).endswith(f"]. {several} of accuracy.")


def test_a_target_that_harms_several_models_is_named_once_with_its_largest_loss() -> None:
    sets = [
        students(target, accuracy, model=model)
        for model, harmed in (("mlp:4", 0.77), ("mlp:3", 0.7), ("mlp:2", 0.75))
        for target, accuracy in (("labels", 0.8), ("hard", 0.85), ("soft", harmed))
    ]
    told = said(evidence(*sets))
    assert told.endswith(
        " Of 2 other models, 2 gain from some target. "
        "Soft labels at T = 4 harm 3 models, by up to 10.00 points of accuracy."
    )


def test_a_harm_is_told_in_the_metric_of_the_gain_alone() -> None:
    made = evidence(students("labels", 0.8), students("hard", 0.85), students("soft", 0.8, 0.5))
    assert made.students[2].versus["nll"].verdict == "worse"
    assert "harm" not in said(made)


def test_a_harm_without_a_size_is_told_without_one() -> None:
    sets = students("labels", 0.8), students("hard", 0.8, 0.25), students("soft", 0.8, INFINITE)
    assert said(evidence(*sets)).endswith("]. Soft labels at T = 4 harm mlp:4.")
    told = said(evidence(*sets, students("smooth", 0.8, 0.4)))
    both = "Soft labels at T = 4 and smooth labels with ε = 0.1 harm mlp:4, by up to 0.1000 nats of NLL."
    assert told.endswith(both)


@pytest.mark.parametrize("target", ["bayes", "bayes-soft"])
def test_targets_of_the_exact_posterior_are_told_to_be_made_from_it(target: str) -> None:
    made = evidence(students("labels", 0.8), students(target, 0.9))
    assert said(made) == (
        f"On these training data, {target} labels (made from the exact posterior) help mlp:4, by 10.00 "
        f"points of accuracy over labels {interval(made.students[1], 'accuracy', '%')}."
    )
    harmed = said(evidence(students("labels", 0.8), students(target, 0.7)))
    assert f", and {target} labels (made from the exact posterior) harm mlp:4, by 10.00 points" in harmed


@pytest.mark.parametrize("target", ["soft", "hard", "smooth"])
def test_no_other_target_is_said_to_be_made_from_the_posterior(target: str) -> None:
    beside = students("bayes", 0.85)
    told = said(evidence(students("labels", 0.8), students(target, 0.9), beside))
    assert " help mlp:4 most, by 10.00 points" in told
    assert "posterior" not in told


def test_without_a_difference_the_power_is_told_and_then_the_next_metric() -> None:
    made = evidence(students("labels", 0.8, 0.3), students("soft", 0.8, 0.25))
    soft = made.students[1]
    least = number(soft.versus["accuracy"].detectable or 0.0, "%")
    assert said(made) == (
        "On these training data, no target is shown to help or harm mlp:4 in accuracy (80 % power to "
        f"detect {least} points of accuracy). In NLL, soft labels at T = 4 "
        f"help mlp:4, by 0.0500 nats of NLL over labels {interval(soft, 'nll', 'nats')}."
    )


def test_metrics_without_a_difference_are_told_together() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.8))
    soft = made.students[1].versus
    assert said(made) == (
        "On these training data, no target is shown to help or harm mlp:4 in accuracy or NLL (80 % power to "
        f"detect {number(soft['accuracy'].detectable or 0.0, '%')} points of accuracy or "
        f"{number(soft['nll'].detectable or 0.0, 'nats')} nats of NLL)."
    )


def test_infinite_scores_are_told_without_a_size() -> None:
    helped = said(evidence(students("labels", 0.8, INFINITE), students("soft", 0.8)))
    assert helped.endswith("In NLL, soft labels at T = 4 help mlp:4: NLL is ∞ only with labels.")
    harmed = said(evidence(students("labels", 0.8), students("soft", 0.8, INFINITE)))
    assert harmed.endswith("and soft labels at T = 4 harm mlp:4: NLL is ∞ only with them.")


def test_over_draws_the_mean_is_told_and_in_how_many_draws_it_goes_the_same_way() -> None:
    accuracy = [0.8, 0.7, 0.9, 0.75]
    every = evidence(students("labels", accuracy), students("soft", [0.9, 0.81, 0.99, 0.85]))
    assert said(every) == (
        "Over 4 draws, soft labels at T = 4 help mlp:4, by 10.00 points of accuracy over labels on average "
        f"{interval(every.students[1], 'accuracy', '%')}, in every draw."
    )
    gains = [0.05, 0.06, 0.04, 0.05, 0.06, -0.01, 0.05, 0.05, 0.04, 0.06]
    some = evidence(students("labels", [0.8] * 10), students("soft", [0.8 + gain for gain in gains]))
    assert said(some) == (
        "Over 10 draws, soft labels at T = 4 help mlp:4, by 4.50 points of accuracy over labels on average "
        f"{interval(some.students[1], 'accuracy', '%')}, in 9 of 10 draws."
    )


def test_over_draws_a_loss_and_its_source_are_told_in_the_same_words() -> None:
    made = evidence(students("labels", [0.8, 0.9, 0.85]), students("soft", [0.7, 0.81, 0.74]))
    assert said(made) == (
        "Over 3 draws, no target is shown to help, and soft labels at T = 4 harm mlp:4, by 10.00 points of "
        f"accuracy against labels on average {interval(made.students[1], 'accuracy', '%')}, in every draw."
    )
    sets = students("labels", [0.8] * 3), students("hard", [0.84, 0.86, 0.85])
    explained = said(evidence(*sets, students("soft", [0.9, 0.91, 0.89])))
    assert (
        ", in every draw. Part of it comes from label cleaning: hard labels alone bring 50 % of the gain."
        in explained
    )


def test_over_draws_what_would_have_been_shown_is_told() -> None:
    made = evidence(students("labels", 0.8, [0.3] * 3), students("soft", [0.8, 0.82, 0.79]))
    least = number(made.students[1].versus["accuracy"].detectable or 0.0, "%")
    assert said(made).startswith(
        "Over 3 draws, no target is shown to help or harm mlp:4 in accuracy or NLL (80 % power to "
        f"detect {least} points of accuracy"
    )


def test_without_a_verdict_there_is_nothing_to_tell() -> None:
    assert said(evidence(students("labels", 0.8, seeds=1), students("soft", 0.9, seeds=1))) == ""
