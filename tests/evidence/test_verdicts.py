import math
import statistics
from collections.abc import Mapping
from dataclasses import replace

import pytest
import scipy.stats
import torch
from measured import SIZES, N, evidence, students, values

from kdcli.evidence.verdicts import StudentsMeasured, Versus, by_group, candidates, contrast, decide
from kdcli.inference import compare
from kdcli.stats import Draws, crossed, holm

INFINITE = torch.where(torch.arange(N) < 40, math.inf, values(0.3))


def against_labels(labels: StudentsMeasured, students: StudentsMeasured) -> Mapping[str, Versus]:
    return evidence(labels, students).students[1].versus


def test_verdicts_are_for_the_better_or_worse_by_the_metric() -> None:
    made = evidence(students("labels", 0.8, 0.3), students("hard", 0.9, 0.4), students("soft", 0.8, 0.3))
    control, hard, soft = made.students
    assert control.is_control
    assert (hard.versus["accuracy"].verdict, hard.versus["nll"].verdict) == ("better", "worse")
    assert (hard.versus["accuracy"].gain, hard.versus["nll"].gain) == pytest.approx((0.1, -0.1))
    assert soft.versus["accuracy"].verdict == "no difference shown"
    assert {versus.other for versus in (*hard.versus.values(), *soft.versus.values())} == {"labels-mlp4"}


def test_a_paired_difference_is_that_of_each_seed_and_example() -> None:
    control, soft = students("labels", 0.8), students("soft", 0.83)
    versus = contrast(soft, control, "accuracy")
    (ours,), (theirs,) = soft.values["accuracy"], control.values["accuracy"]
    expected = crossed(ours - theirs)
    assert versus.paired
    assert versus.difference == pytest.approx(expected.mean)
    assert versus.interval == pytest.approx(expected.estimate[1:])
    low, high = versus.gain_interval or (0.0, 0.0)
    assert low < versus.gain < high


def test_the_ends_of_a_gain_are_turned_where_less_is_better() -> None:
    versus = contrast(students("soft", 0.8, 0.2), students("labels", 0.8, 0.3), "nll")
    low, high = versus.interval or (0.0, 0.0)
    assert versus.gain_interval == (-high, -low)


def test_verdicts_are_corrected_for_all_comparisons_of_the_table() -> None:
    made = evidence(students("labels", 0.8), students("hard", 0.802), students("soft", 0.9, 0.2))
    comparisons = [v for s in made.students for v in s.versus.values()]
    raw = [v.p_value for v in comparisons if v.p_value is not None]
    assert made.tests == len(raw) == 4
    assert [v.adjusted for v in comparisons] == pytest.approx(holm(raw))
    for versus in comparisons:
        assert (versus.adjusted is not None and versus.adjusted <= 0.05) == (
            versus.verdict != "no difference shown"
        )


def test_paired_sets_are_compared_on_the_seeds_that_both_have() -> None:
    control, soft = students("labels", 0.8, diverged=[1]), students("soft", 0.83, diverged=[0])
    versus = contrast(soft, control, "accuracy")
    assert versus.seeds == 3
    (ours,), (theirs,) = (one.of_seeds("accuracy", [2, 3, 4]) for one in (soft, control))
    assert versus.difference == pytest.approx(float((ours - theirs).mean()))
    assert contrast(soft, control, "accuracy", without={2}).seeds == 2
    none = contrast(
        students("soft", 0.8, diverged=[0, 1, 2]), students("labels", 0.8, diverged=[3, 4]), "nll"
    )
    assert (none.difference, none.verdict, none.seeds) == (None, None, 0)
    assert none.why.startswith("no seed in common")


def test_one_seed_has_no_verdict_and_says_why() -> None:
    made = evidence(students("labels", 0.8, seeds=1), students("soft", 0.9, seeds=1))
    versus = made.students[1].versus["accuracy"]
    assert (versus.verdict, versus.interval) == (None, None)
    assert versus.why.startswith("one seed:")
    few = contrast(students("soft", 0.9, diverged=[0, 1]), students("labels", 0.8, diverged=[2, 3]), "nll")
    assert few.why.startswith("one seed in common:")


def test_infinite_values_are_compared_as_such() -> None:
    sets = students("labels", 0.8, INFINITE), students("hard", 0.8, INFINITE), students("soft", 0.8, 0.3)
    _, hard, soft = evidence(*sets).students
    assert (hard.versus["nll"].difference, hard.versus["nll"].verdict) == (None, "no difference shown")
    assert (soft.versus["nll"].difference, soft.versus["nll"].interval) == (-math.inf, None)
    assert soft.versus["nll"].verdict == "better"


def test_nothing_can_be_told_where_nothing_varies() -> None:
    ones, zeros = torch.ones(3, 1, dtype=torch.float64), torch.zeros(3, 1, dtype=torch.float64)
    versus = contrast(students("soft", ones, ones, seeds=3), students("labels", zeros, zeros, seeds=3), "nll")
    assert (versus.verdict, versus.interval) == (None, None)
    assert versus.why == "no variation among the 1 examples measured"


def test_what_is_detectable_would_have_been_shown() -> None:
    control = students("labels", 0.8)
    least = evidence(control, students("soft", 0.8)).students[1].versus["accuracy"].detectable
    assert least is not None
    assert least > 0
    shifted = students("soft", 0.8 + 2 * least)
    assert evidence(control, shifted).students[1].versus["accuracy"].verdict == "better"


def test_every_model_and_transfer_set_has_its_own_control() -> None:
    sets = [
        students(target, 0.8, **settings)
        for settings in ({}, {"model": "mlp:3"}, {"transfer": "train:40"})
        for target in ("labels", "soft")
    ]
    made = evidence(*sets)
    assert {s.name: s.control for s in made.students} == {
        "labels-mlp4": "",
        "soft-T4-mlp4": "labels-mlp4",
        "labels-mlp3": "",
        "soft-T4-mlp3": "labels-mlp3",
        "labels-n40-mlp4": "",
        "soft-T4-n40-mlp4": "labels-n40-mlp4",
    }
    assert list(by_group(made.students)) == ["mlp:4", "mlp:3", "mlp:4, n = 40"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("labels", ["labels-mlp4", "mine"]),
        ("soft-T4", ["soft-T4-mlp4"]),
        ("mine", ["mine"]),
        ("soft", []),
        ("../teacher", []),
    ],
)
def test_a_control_is_named_by_its_folder_or_by_what_it_is_taught(name: str, expected: list[str]) -> None:
    sets = [students("labels", 0.8, name="mine"), students("labels", 0.8), students("soft", 0.8)]
    assert [s.name for s in candidates(sets, name)] == expected


def test_sets_that_cannot_be_paired_are_compared_only_when_asked() -> None:
    sets = students("labels", 0.8), students("soft", 0.8), students("soft", 0.9, temperature=2.0, seeds=3)
    other = evidence(*sets).students[2]
    assert other.versus == {}
    assert other.why == "cannot be paired with labels-mlp4: they differ in seeds (3, not 5)"
    _, soft, other = evidence(*sets, unpaired=True).students
    assert soft.versus["accuracy"].paired
    versus = other.versus["accuracy"]
    assert (versus.paired, versus.seeds, versus.verdict) == (False, 3, "better")


def test_a_set_without_a_control_says_so() -> None:
    (alone,) = evidence(students("soft", 0.8)).students
    assert alone.why == "there is no set 'labels' to compare with"
    assert not alone.is_control
    several = [
        students("labels", 0.8),
        students("labels", 0.8, seeds=3, name="few"),
        students("soft", 0.8, seeds=4),
    ]
    assert "several sets could be its control" in evidence(*several, unpaired=True).students[2].why


def test_verdicts_over_draws_are_those_of_the_mean_difference_of_each() -> None:
    gains = [0.05, 0.02, 0.06, 0.03]
    accuracy = [0.8, 0.7, 0.9, 0.75]
    soft = students("soft", [a + g for a, g in zip(accuracy, gains, strict=True)])
    control, soft = evidence(students("labels", accuracy), soft).students
    versus = soft.versus["accuracy"]
    test = scipy.stats.ttest_1samp(gains, 0)
    assert versus.by_draw == pytest.approx(gains)
    assert (versus.difference, versus.p_value) == pytest.approx((0.04, test.pvalue))
    assert versus.interval == pytest.approx(tuple(test.confidence_interval()))
    assert (versus.draws, versus.alike, versus.seeds, versus.verdict) == (4, 4, 5, "better")
    half = scipy.stats.t.ppf(0.975, 3) * statistics.stdev(gains) * math.sqrt(1 + 1 / 4)
    assert versus.another == pytest.approx((0.04 - half, 0.04 + half))
    assert control.by_draw("accuracy") == pytest.approx(accuracy)
    assert [len(of_draw) for of_draw in control.per_seed["accuracy"]] == [5] * 4


def test_draws_are_alike_whose_difference_goes_the_way_of_the_mean() -> None:
    mixed = against_labels(students("labels", [0.8] * 3), students("soft", [0.9, 0.79, 0.85]))["accuracy"]
    assert (mixed.alike, mixed.draws) == (2, 3)
    # A lower NLL is better; the draws with the sign of the mean are counted also if it is worse.
    labels = students("labels", 0.8, [0.3] * 3)
    lower = against_labels(labels, students("soft", 0.8, [0.2, 0.31, 0.25]))["nll"]
    assert (lower.alike, lower.gain) == (2, pytest.approx(0.14 / 3))
    higher = against_labels(labels, students("soft", 0.8, [0.4, 0.29, 0.35]))["nll"]
    assert (higher.alike, higher.gain) == (2, pytest.approx(-0.14 / 3))


def test_one_draw_has_no_other_to_compare_it_with() -> None:
    versus = against_labels(students("labels", 0.8), students("soft", 0.9))["accuracy"]
    assert (versus.draws, versus.alike, versus.another) == (1, 1, None)


def test_a_single_seed_of_each_draw_is_enough_for_a_verdict() -> None:
    labels = students("labels", [0.8, 0.7, 0.9], seeds=1)
    versus = against_labels(labels, students("soft", [0.9, 0.81, 0.99], seeds=1))["accuracy"]
    assert (versus.seeds, versus.verdict, versus.why) == (1, "better", "")
    assert versus.interval is not None


def test_a_single_seed_in_common_is_enough_in_several_draws() -> None:
    soft = students("soft", [0.9, 0.91, 0.89], diverged=[0, 1])
    versus = contrast(soft, students("labels", [0.8, 0.8, 0.8], diverged=[2, 3]), "accuracy")
    (ours, *_), seeds = soft.of_seeds("accuracy", [4]), 1
    assert ours.shape == (seeds, N)
    assert (versus.seeds, versus.why) == (seeds, "")
    assert versus.by_draw[0] == pytest.approx(float(ours.mean()) - 0.8, abs=0.01)


@pytest.mark.parametrize(
    ("drawing", "how"),
    [
        ("sampled", Draws()),
        ("split", Draws(overlap=SIZES["test"] / SIZES["train"])),
        ("test kept", Draws(shared_test=True)),
    ],
)
def test_how_draws_vary_depends_on_how_they_come_about(drawing: str, how: Draws) -> None:
    sets = students("labels", [0.8, 0.8, 0.8]), students("soft", [0.85, 0.83, 0.9])
    control, soft = evidence(*sets, drawing=drawing).students
    assert soft.how == how
    expected = compare(soft.values["accuracy"], control.values["accuracy"], paired=True, how=how)
    versus = soft.versus["accuracy"]
    assert (versus.interval, versus.p_value) == (expected.interval, expected.p_value)


def test_nothing_can_be_told_where_all_draws_differ_alike() -> None:
    ones, zeros = torch.ones(1, 2, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    soft, labels = students("soft", [ones] * 3, seeds=1), students("labels", [zeros] * 3, seeds=1)
    versus = contrast(soft, labels, "accuracy")
    assert (versus.verdict, versus.interval, versus.alike) == (None, None, 3)
    assert versus.why == "no variation among the 3 draws"


def test_values_that_are_infinite_in_some_draws() -> None:
    labels = students("labels", 0.8, [INFINITE, 0.4, INFINITE])
    versus = against_labels(labels, students("soft", 0.8, [0.3, 0.3, 0.3]))["nll"]
    assert (versus.difference, versus.interval, versus.another) == (-math.inf, None, None)
    assert versus.by_draw == (-math.inf, pytest.approx(-0.1), -math.inf)
    assert versus.p_value == pytest.approx(scipy.stats.ttest_1samp([0.1, 0, 0.1], 0).pvalue)
    assert (versus.alike, versus.verdict) == (3, "no difference shown")
    endless = [INFINITE, 0.3]
    both = against_labels(students("labels", 0.8, endless), students("soft", 0.8, endless))["nll"]
    assert math.isnan(both.by_draw[0])
    assert (both.difference, both.alike) == (None, 0)


def test_unpaired_sets_are_compared_draw_by_draw() -> None:
    sets = students("labels", [0.8, 0.7, 0.9]), students("soft", [0.9, 0.81, 0.99], temperature=2.0, seeds=3)
    versus = evidence(*sets, unpaired=True).students[1].versus["accuracy"]
    assert (versus.paired, versus.seeds, versus.verdict) == (False, 3, "better")
    assert versus.by_draw == pytest.approx([0.1, 0.11, 0.09])


def test_without_comparisons_there_is_nothing_to_decide() -> None:
    assert decide({}) == {}


@pytest.mark.parametrize(("rarest", "judged"), [(5, False), (20, True)])
def test_a_metric_that_weighs_classes_alike_needs_examples_of_the_rarest(rarest: int, judged: bool) -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9))
    sets = [
        replace(one, values={**one.values, "balanced_accuracy": one.values["accuracy"]}, rarest=rarest)
        for one in made.students
    ]
    versus = contrast(sets[1], sets[0], "balanced_accuracy")
    assert (versus.p_value is not None) == judged
    assert versus.why == ("" if judged else "rare class: it has 5 test examples, but 20 are needed")
    assert contrast(sets[1], sets[0], "accuracy").p_value is not None
