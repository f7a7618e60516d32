import math
import re

import pytest
import torch
from measured import Given, N, evidence, students, values

from kdcli.commands import text
from kdcli.evidence.findings import findings
from kdcli.evidence.gather import Evidence
from kdcli.report.sentences import attainable, coverage, obstacle_text, sentences, spoken
from kdcli.report.words import number

INFINITE = torch.where(torch.arange(N) < 40, math.inf, values(0.3))


def said(made: Evidence, group: str = "mlp:4") -> list[str]:
    return [text(sentence) for sentence in sentences(made, findings(made)).get(group, [])]


def test_a_set_within_a_sentence() -> None:
    assert spoken(students("soft", 0.8, temperature=8.0, label_weight=0.3)) == "soft at T = 8 with w = 0.3"


def test_a_difference_is_said_with_its_size_interval_and_sample() -> None:
    made = evidence(students("labels", 0.8, 0.3), students("hard", 0.85, 0.3), students("soft", 0.8, 0.35))
    hard, soft = (made.students[k].versus for k in (1, 2))
    low, high = (number(end, "%") for end in hard["accuracy"].interval or ())
    beats = f"Hard beats labels by 5.00 points of accuracy [{low}, {high}]; 5 seeds, 400 test examples."
    low, high = (number(end, "nats") for end in soft["nll"].interval or ())
    worse = f"Soft at T = 4 is worse than labels by 0.0500 nats of NLL [{low}, {high}]"
    assert {beats, f"{worse}; 5 seeds, 400 test examples."} <= set(said(made))


def test_several_sets_are_said_in_one_sentence() -> None:
    made = evidence(students("labels", 0.8), students("hard", 0.85), students("soft", 0.9))
    (sentence,) = (sentence for sentence in said(made) if "beats" in sentence)
    assert sentence.startswith("Soft at T = 4 beats labels by 10.00 points of accuracy [")
    assert "; hard by 5.00 [" in sentence


def test_what_is_inconclusive_is_said_with_the_power() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.8))
    least = number(made.students[1].versus["accuracy"].detectable or 0.0, "%")
    words = "The difference in accuracy from labels is inconclusive for soft at T = 4 (80 % power to detect "
    assert said(made)[0] == f"{words}{least} points of accuracy)."
    labels, soft = (students(t, 0.8, values(0.2, spread=1e-6, noise=t)) for t in ("labels", "soft"))
    words = "The difference in NLL from labels is inconclusive for soft at T = 4."
    assert words in said(evidence(labels, soft))  # and not with the power to detect 0.0000 nats


@pytest.mark.parametrize(
    ("metric", "difference", "possible"),
    [
        ("accuracy", 0.99, True),
        ("accuracy", 1.0, False),
        ("balanced_accuracy", 1.2, False),
        ("average_precision", 0.99, True),
        ("average_precision", 76.9, False),
        ("roc_auc", 1.0, False),
        ("brier", 1.9, True),
        ("brier", 2.0, False),
        ("nll", 50.0, True),
        ("errors", 300.0, True),
    ],
)
def test_no_power_is_told_for_a_difference_that_cannot_be(
    metric: str, difference: float, possible: bool
) -> None:
    assert attainable(metric, difference) is possible


def test_infinite_scores() -> None:
    sets = students("labels", 0.8, INFINITE), students("hard", 0.8, INFINITE), students("soft", 0.8)
    sentences = said(evidence(*sets))
    assert "NLL is ∞ for labels and hard." in sentences
    assert any("beats labels in NLL: it is ∞ only for the control" in sentence for sentence in sentences)
    finite = said(evidence(students("labels", 0.8), students("soft", 0.8, INFINITE)))
    assert any(
        "is worse than labels in NLL: it is ∞ only for the students" in sentence for sentence in finite
    )


def test_a_gain_is_put_down_to_what_else_brings_it() -> None:
    sets = students("labels", 0.8), students("hard", 0.85), students("smooth", 0.8), students("soft", 0.9)
    (sentence,) = (sentence for sentence in said(evidence(*sets)) if sentence.startswith("Of the"))
    number = r"[−0-9.]+"
    ends = rf"\[{number}, {number}\]"
    assert re.fullmatch(
        "Of the 10.00 points of accuracy that soft at T = 4 gains over labels, hard alone "
        rf"\(label cleaning\) brings 5.00 {ends} \(50 %\); soft adds 5.00 {ends}. Smooth with ε = 0.1 alone "
        rf"\(regularisation\) brings no significant gain, 0.00 {ends}; soft adds 10.00 {ends}.",
        sentence,
    )


def test_a_target_that_loses_by_itself_is_said_to() -> None:
    sets = students("labels", 0.8), students("hard", 0.75), students("soft", 0.9)
    assert any(
        "hard alone (label cleaning) brings a loss, −5.00 [" in sentence for sentence in said(evidence(*sets))
    )


def test_a_temperature_that_was_chosen_is_told_as_such() -> None:
    sets = students("labels", 0.8), students("soft", 0.85), students("soft", 0.9, temperature=8.0)
    made = evidence(*sets, students("hard", 0.85))
    chosen = "that soft at T = 8 (the best of 2 such sets on validation) gains over labels"
    assert any(chosen in sentence for sentence in said(made))


def test_a_gain_on_common_seeds_and_one_that_cannot_be_shared_out() -> None:
    sets = students("labels", 0.8), students("hard", 0.85, diverged=[2]), students("soft", 0.9)
    assert any(
        "on the 4 seeds that these sets have in common" in sentence for sentence in said(evidence(*sets))
    )
    sets = (
        students("labels", 0.8),
        students("hard", 0.85, diverged=[0, 1, 2]),
        students("smooth", 0.85, diverged=[3, 4]),
        students("soft", 0.9),
    )
    made = evidence(*sets)
    (gain,) = findings(made)[0].attributions
    assert obstacle_text(gain) == "the sets to explain it with have no seed in common"
    source = "The source of the accuracy that soft at T = 4 gains over labels is unknown: "
    assert f"{source}{obstacle_text(gain)}." in said(made)


def test_missing_explanations_come_with_a_command() -> None:
    made = evidence(students("labels", 0.8), students("soft", 0.9))
    words = "To test other explanations of the gain, run `kd distill --target smooth,hard --seeds 5`."
    assert said(made)[-1] == words


def test_over_draws_a_difference_is_said_with_what_another_draw_is_to_be_expected_to_have() -> None:
    made = evidence(
        students("labels", [0.8, 0.7, 0.9]), students("soft", [0.9, 0.81, 0.99], [0.5, 0.52, 0.49])
    )
    accuracy, nll = (made.students[1].versus[metric] for metric in ("accuracy", "nll"))
    low, high = (number(end, "%") for end in accuracy.interval or ())
    least, most = (number(end, "%") for end in accuracy.another or ())
    beats = f"Soft at T = 4 beats labels by 10.00 points of accuracy [{low}, {high}], in every draw "
    assert f"{beats}(another draw: {least} to {most}); 3 draws × 5 seeds, 400 test examples." in said(made)
    least, most = (number(end, "nats") for end in nll.another or ())
    assert any(f", in every draw (another draw: {least} to {most});" in sentence for sentence in said(made))


def test_over_draws_that_do_not_agree_their_number_is_said() -> None:
    gains = [0.05, 0.06, 0.04, 0.05, 0.06, -0.01, 0.05, 0.05, 0.04, 0.06]
    losing = evidence(students("labels", [0.8] * 10), students("soft", [0.8 - gain for gain in gains]))
    least, most = sorted(-end for end in losing.students[1].versus["accuracy"].another or ())
    expected = f"(another draw: {number(least, '%')} to {number(most, '%')})"
    assert any(f", in 9 of 10 draws {expected};" in sentence for sentence in said(losing))
    assert least < 0  # it may be for the better


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        (
            "sampled",
            "Each draw is a new sample of the data, with a teacher and students of its own; ± is half of a "
            "95 % interval over the 3 draws. ",
        ),
        (
            "split",
            "Each draw is another split of the same examples, with a teacher and students of its own; ± is "
            "half of a 95 % interval over the 3 draws, corrected for the examples that these share "
            "(Nadeau and Bengio). ",
        ),
        (
            "test kept",
            "Each draw is another split of the same training examples, with a teacher and students of its "
            "own; ± is half of a 95 % interval over the 3 draws and the test examples, which all draws "
            "share. It holds for these training examples: two draws have about 80 % of them in common. ",
        ),
    ],
)
def test_coverage_says_what_several_draws_have_of_their_own(drawing: str, words: str) -> None:
    sets = students("labels", [0.8, 0.81, 0.79]), students("soft", [0.9, 0.9, 0.78])
    told = coverage(evidence(*sets, drawing=drawing))
    assert told.startswith(words)
    assert '"+ in 2/3": the difference is above 0 in 2 of these draws.' in told
    assert "does not cover other draws" not in told
    assert "7/10" not in coverage(evidence(sets[0], drawing=drawing))  # without a comparison


def test_coverage_of_one_draw_tells_of_the_others_that_are_not_covered() -> None:
    told = coverage(evidence(students("labels", 0.8), students("soft", 0.9)))
    assert told.startswith(
        "± is half of a 95 % interval over training seeds and test examples; it does not cover other draws "
        "of the training data or other teachers. "
    )
    assert "7/10" not in told
    assert "Each draw" not in told


def test_coverage_says_what_seeds_vary_in_each_family() -> None:
    models = ("mlp:4", "linear", "tree", "tree:max_depth=2", "mlp:8")
    told = coverage(evidence(*(students("labels", 0.8, model=model) for model in models)))
    assert (
        "other teachers. The seeds of mlp and linear vary initial weights and batch order. The seeds of tree "
        "vary the rows drawn, with replacement."
    ) in told


@pytest.mark.parametrize(
    ("labels", "soft", "explained"),
    [
        (0.3, 0.35, False),
        (INFINITE, 0.3, True),
        (0.3, INFINITE, True),
        (INFINITE, INFINITE, True),
        ([0.3, 0.3, 0.3], [values(0.3), INFINITE, values(0.3)], True),  # in one draw, and so in the mean
        ([0.3, 0.3, 0.3], [0.3, 0.31, 0.29], False),
    ],
)
def test_an_infinite_nll_is_explained_only_where_a_mean_is_infinite(
    labels: Given, soft: Given, explained: bool
) -> None:
    told = coverage(evidence(students("labels", 0.8, labels), students("soft", 0.9, soft)))
    words = "NLL, the mean −log of the true class's probability, is ∞ where a model gave the true class "
    assert (words in told) is explained
    assert ("∞" in told) is explained


def test_coverage_says_what_intervals_and_verdicts_are_of() -> None:
    words = coverage(evidence(students("labels", 0.8), students("soft", 0.9)))
    assert "over training seeds and test examples" in words
    assert "for the 2 comparisons of the table together (Holm" in words
    assert "; inconclusive does not mean equal." in words
    assert "overestimated" in words
    alone = evidence(students("labels", 0.8), students("soft", 0.9), compared=["accuracy"])
    assert "overestimated" not in coverage(alone)
    assert "corrected separately" not in words
    shared_out = evidence(students("labels", 0.8), students("hard", 0.85), students("soft", 0.9))
    assert "corrected separately" in coverage(shared_out, findings(shared_out))
    assert "Unpaired" not in words
    single = evidence(students("labels", 0.8, seeds=1), students("soft", 0.9, seeds=1))
    assert "over test examples, for this one seed" in coverage(single)
    assert "The seeds of" not in coverage(single)
    assert "Holm" not in coverage(single)
    assert "inconclusive" not in coverage(single)
    unpaired = evidence(students("labels", 0.8), students("soft", 0.9, seeds=3), unpaired=True)
    assert "Unpaired sets differ from their control in more than the target." in coverage(unpaired)
