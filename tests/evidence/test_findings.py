from collections.abc import Sequence
from dataclasses import replace

import pytest
from measured import evidence, students, values

from kdcli.errors import Command
from kdcli.evidence.findings import Attribution, findings
from kdcli.evidence.verdicts import StudentsMeasured
from kdcli.runs.student_sets import StudentSet


def attributions(*args: object, **kwargs: object) -> Sequence[Attribution]:
    """Return the attributions of the first group."""
    return findings(evidence(*args, **kwargs))[0].attributions  # type: ignore[arg-type]


def test_sets_are_put_together_by_verdict_with_the_largest_difference_first() -> None:
    sets = [
        students("labels", 0.8),
        students("hard", 0.82),
        students("bayes", 0.86),
        students("smooth", 0.75),
        students("soft", 0.8),
    ]
    (group,) = findings(evidence(*sets))
    accuracy = {
        d.verdict: [s.set.target for s in d.students] for d in group.decided if d.metric == "accuracy"
    }
    assert accuracy == {"better": ["bayes", "hard"], "worse": ["smooth"], "no difference shown": ["soft"]}
    assert {d.control.name for d in group.decided} == {"labels-mlp4"}


def test_a_difference_that_all_comparisons_would_show() -> None:
    made = evidence(students("labels", 0.8), students("hard", 0.8), students("soft", 0.8))
    (group,) = findings(made)
    undecided = next(decided for decided in group.decided if decided.metric == "accuracy")
    assert len(undecided.students) == 2
    assert undecided.detectable == max(versus.detectable or 0.0 for versus in undecided.comparisons) > 0
    (alone,) = findings(evidence(students("labels", 0.8, seeds=1), students("soft", 0.9, seeds=1)))
    assert all(decided.detectable == 0 for decided in alone.decided)


def test_a_gain_of_soft_targets_is_shared_out_among_those_that_do_less() -> None:
    sets = students("labels", 0.8), students("hard", 0.85), students("smooth", 0.8), students("soft", 0.9)
    (gain,) = attributions(*sets)
    assert (gain.soft.set.target, gain.metric, gain.obstacle) == ("soft", "accuracy", "")
    assert gain.gain == pytest.approx(0.1)
    shares = {share.rival.set.target: share for share in gain.shares}
    assert list(shares) == ["hard", "smooth"]
    assert shares["hard"].versus.verdict == "better"
    assert shares["smooth"].versus.verdict == "no difference shown"
    for share in gain.shares:
        assert share.versus.gain + share.beyond.gain == pytest.approx(gain.gain)
        assert share.beyond.verdict == "better"


def test_a_gain_of_other_targets_is_not_explained() -> None:
    assert attributions(students("labels", 0.8), students("hard", 0.9)) == []
    # Where soft targets are the control, labels may gain over them.
    assert attributions(students("labels", 0.9), students("soft", 0.8), control="soft-T4") == []


def test_of_several_temperatures_the_best_on_validation_examples_is_explained() -> None:
    sets = students("labels", 0.8), students("soft", 0.85), students("soft", 0.9, temperature=8.0)
    (gain,) = attributions(*sets)
    assert (gain.soft.set.temperature, gain.among) == (8.0, 2)
    validation = {sets[1].name: 0.88, sets[2].name: 0.87}
    (gain,) = attributions(*sets, on_validation=lambda folder, _: validation[folder])
    assert (gain.soft.set.temperature, gain.among) == (4.0, 2)
    assert gain.gain == pytest.approx(0.05)


def test_a_temperature_without_a_gain_that_is_best_on_validation_examples_explains_nothing() -> None:
    sets = students("labels", 0.8), students("soft", 0.8), students("soft", 0.9, temperature=8.0)
    validation = {sets[1].name: 0.88, sets[2].name: 0.87}
    assert attributions(*sets, on_validation=lambda folder, _: validation[folder]) == []


def test_validation_examples_are_predicted_only_where_there_is_something_to_choose() -> None:
    def refuse(folder: str, metric: str) -> float:
        raise AssertionError((folder, metric))

    assert attributions(students("labels", 0.8), students("soft", 0.9), on_validation=refuse)
    worse = students("labels", 0.9), students("soft", 0.85), students("soft", 0.8, temperature=8.0)
    assert attributions(*worse, on_validation=refuse) == []


def test_the_nll_of_a_temperature_is_chosen_by_the_lowest() -> None:
    soft = students("soft", 0.8, 0.4), students("soft", 0.8, 0.3, temperature=8.0)
    (gain,) = attributions(students("labels", 0.8, 0.5), *soft)
    assert (gain.metric, gain.soft.set.temperature) == ("nll", 8.0)


def test_shares_add_up_on_the_seeds_that_all_sets_have() -> None:
    sets = [
        students("labels", 0.8),
        students("hard", values(0.85, spread=0.1)),
        students("smooth", 0.82, diverged=[2]),
        students("soft", values(0.9, spread=0.2)),
    ]
    (gain,) = attributions(*sets)
    assert (gain.seeds, gain.common) == ([0, 1, 3, 4], 4)
    (soft,), (labels,) = (s.of_seeds("accuracy", gain.seeds) for s in (sets[3], sets[0]))
    assert gain.gain == pytest.approx(float((soft - labels).mean()))
    for share in gain.shares:
        assert share.versus.gain + share.beyond.gain == pytest.approx(gain.gain)


def test_shares_over_draws_add_up_too() -> None:
    sets = [
        students("labels", [0.8, 0.75, 0.82], seeds=1),
        students("hard", [0.84, 0.79, 0.88], seeds=1),
        students("soft", [0.9, 0.86, 0.91], seeds=1),
    ]
    (gain,) = attributions(*sets)
    assert (gain.gain, gain.common, gain.obstacle) == (pytest.approx(0.1), 1, "")
    (share,) = gain.shares
    assert (share.versus.gain, share.beyond.gain) == pytest.approx((0.14 / 3, 0.16 / 3))
    assert share.beyond.by_draw == pytest.approx([0.06, 0.07, 0.03])


def test_too_few_common_seeds_leave_a_gain_unexplained() -> None:
    sets = [
        students("labels", 0.8),
        students("hard", 0.85, diverged=[0, 1, 2]),
        students("smooth", 0.85, diverged=[3, 4]),
        students("soft", 0.9),
    ]
    (group,) = findings(evidence(*sets))
    (gain,) = group.attributions
    assert (gain.obstacle, gain.common, gain.shares) == ("seeds", 0, [])
    assert group.tells is None


def test_no_gain_on_the_common_seeds_is_an_obstacle() -> None:
    soft = values(0.95)
    soft[:2] = values(0.75, 2)
    sets = [students("labels", 0.8), students("hard", 0.85, diverged=[2, 3, 4]), students("soft", soft)]
    found = attributions(*sets)
    assert all(gain.obstacle == "no gain" for gain in found if gain.metric == "accuracy")


def test_a_gain_is_explained_by_students_of_the_same_model_and_label_weight() -> None:
    sets = [
        students("labels", 0.8),
        students("soft", 0.9),
        students("hard", 0.85, model="mlp:3"),
        students("labels", 0.8, model="mlp:3"),
        students("hard", 0.85, label_weight=0.5),
        students("shuffled", 0.85, temperature=2.0),
        students("shuffled", 0.85),
    ]
    (gain,) = attributions(*sets)
    (share,) = gain.shares
    assert (share.rival.set.target, share.rival.set.temperature) == ("shuffled", 4.0)


def test_a_chosen_temperature_is_explained_at_that_temperature() -> None:
    soft = students("soft", 0.9, temperature="auto", chosen=2.0)
    sets = [students("labels", 0.8), soft, students("shuffled", 0.85, temperature="auto", chosen=4.0)]
    (gain,) = attributions(*sets)  # each chose the best for itself
    assert [share.rival.name for share in gain.shares] == ["shuffled-Tauto-mlp4"]
    sets[2] = students("shuffled", 0.85, temperature=4.0)
    assert not any(gain.shares for gain in attributions(*sets))
    (gain,) = attributions(*sets, students("shuffled", 0.85, temperature=2.0))
    assert [share.rival.name for share in gain.shares] == ["shuffled-T2-mlp4"]
    missing = soft.set.taught_instead("shuffled")
    assert (missing.name, missing.chosen) == ("shuffled-T2-mlp4", None)


def test_missing_explanations_are_answered_with_the_command_that_trains_them() -> None:
    sets = [students("labels", 0.8), students("hard", 0.85), students("soft", 0.9)]
    (group,) = findings(evidence(*sets))
    assert group.tells is not None
    assert group.tells.options["targets"] == ("smooth",)  # two classes leave nothing to shuffle
    (group,) = findings(evidence(*sets, n_classes=3))
    assert group.tells is not None
    assert group.tells.options["targets"] == ("smooth", "spread", "shuffled")
    (group,) = findings(evidence(*sets, students("smooth", 0.8)))
    assert group.tells is None


def test_the_smoothing_that_is_missing_is_to_be_chosen() -> None:
    asked: list[StudentSet] = []
    made = evidence(students("labels", 0.8), students("hard", 0.85), students("soft", 0.9))

    def training(*sets: StudentSet) -> Command:
        asked.extend(sets)
        return Command("distill")

    findings(replace(made, training=training))
    assert [(wanted.target, wanted.settings.smoothing) for wanted in asked] == [("smooth", "auto")]


def test_of_smooth_targets_the_one_that_is_best_on_validation_examples_is_the_rival() -> None:
    sets = [students("labels", 0.8), students("soft", 0.9), students("smooth", 0.82)]
    tuned = students("smooth", 0.85, smoothing="auto", chosen=0.05)

    def rivals(*made: StudentsMeasured, best: str = "") -> list[str]:
        measured = replace(evidence(*made), on_validation=lambda folder, metric: float(folder == best))
        (gain,) = findings(measured)[0].attributions
        return [share.rival.name for share in gain.shares]

    assert rivals(*sets) == ["smooth-e0.1-mlp4"]
    for best in ("smooth-e0.1-mlp4", "smooth-eauto-mlp4"):
        assert rivals(*sets, tuned, best=best) == [best]


def test_students_of_an_untrained_teacher_do_not_hide_what_others_would_show() -> None:
    sets = [students("labels", 0.8), students("hard", values(0.8, spread=0.1))]
    made = evidence(*sets, students("random", values(0.8, spread=3.0)))
    (undecided,) = [d for d in findings(made)[0].decided if d.metric == "accuracy"]
    hard, random = (versus.detectable or 0.0 for versus in undecided.comparisons)
    assert sorted(s.set.target for s in undecided.students) == ["hard", "random"]
    assert undecided.detectable == min(hard, random)
    assert max(hard, random) > 2 * undecided.detectable > 0


def test_teachers_that_are_small_or_know_nothing_may_explain_a_gain() -> None:
    sets = [
        students(name, mean)
        for name, mean in (("labels", 0.8), ("self", 0.88), ("random", 0.1), ("soft", 0.9))
    ]
    (gain,) = attributions(*sets)
    assert {share.rival.set.target: share.versus.verdict for share in gain.shares} == {
        "self": "better",
        "random": "worse",
    }
