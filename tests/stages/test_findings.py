import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import TINY, Kd

from kdcli.stages.findings import amount, number


def compared(kd: Kd) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(kd("compare", "--json").out)
    return made


def run(kd: Kd, recipe: str) -> dict[str, Any]:
    Path("made.toml").write_text(recipe)
    outcome = kd("run", "made.toml", "--quiet")
    assert outcome.code == 0, outcome.err
    return compared(kd)


BAD_TEACHER = TINY.replace('model = "mlp:8"\nepochs = 20', 'model = "mlp:8"\nepochs = 1').replace(
    "seeds = 2", "seeds = 5"
)


def test_a_loss_is_said_with_its_size_interval_and_sample(kd: Kd) -> None:
    made = run(kd, BAD_TEACHER)
    versus = made["students"][1]["versus"]["nll"]
    assert versus["verdict"] == "worse"
    low, high = versus["ci95"]
    expected = (
        f"Soft at T = 4 falls behind labels by {versus['difference']:.4f} nats of NLL "
        f"[{low:.4f}, {high:.4f}]; 5 seeds, 400 test examples."
    )
    assert expected in made["sentences"]["mlp:4"]


def test_a_gain_is_said_and_put_down_to_what_else_brings_it(kd: Kd) -> None:
    # The roles changed: labels stand for soft targets' rivals where those of a bad teacher are the control.
    made = run(kd, BAD_TEACHER)
    swapped: dict[str, Any] = json.loads(kd("compare", "--control", "soft-T4", "--json").out)
    versus = swapped["students"][0]["versus"]["nll"]
    assert versus["verdict"] == "better"
    assert versus["difference"] == pytest.approx(-made["students"][1]["versus"]["nll"]["difference"])
    low, high = sorted(-end for end in versus["ci95"])
    size = -versus["difference"]
    words = f"Labels beats soft at T = 4 by {size:.4f} nats of NLL [{low:.4f}, {high:.4f}]"
    assert any(words in sentence for sentence in swapped["sentences"]["mlp:4"])
    assert swapped["attributions"] == []  # it is not a gain of soft targets


def test_shares_of_a_gain(kd: Kd) -> None:
    """On moons, unpruned trees gain from soft targets, and cleaned labels explain it."""
    kd("gen-data", "moons", "--n-samples", "1000", "--n-test", "3000")
    kd("train-teacher", "--epochs", "60")
    kd("distill", "--model", "tree", "--target", "labels,soft", "--seeds", "3")
    made = compared(kd)
    gain = made["attributions"][0]
    assert (gain["students"], gain["metric"], gain["shares"]) == ("soft-T1-tree", "accuracy", [])
    (advice,) = (s for s in made["sentences"]["tree"] if s.startswith("What else"))
    command = re.search(r"`kd (.*)`", advice)
    assert command
    assert command[1] == "distill --target smooth,hard --model tree --seeds 3"
    assert kd(*command[1].split()).code == 0
    made = compared(kd)
    gain = made["attributions"][0]
    accuracy = {one["name"]: one["metrics"]["accuracy"]["mean"] for one in made["students"]}
    assert {share["by"] for share in gain["shares"]} == {"smooth-e0.1-tree", "hard-tree"}
    for share in gain["shares"]:
        assert share["gain"] == pytest.approx(accuracy[share["by"]] - accuracy["labels-tree"])
        beyond = accuracy["soft-T1-tree"] - accuracy[share["by"]]
        assert share["beyond"]["difference"] == pytest.approx(beyond)
    (words,) = (s for s in made["sentences"]["tree"] if s.startswith("Of the"))
    hard = next(share for share in gain["shares"] if share["by"] == "hard-tree")
    assert hard["verdict"] == "better"
    brought = f"{100 * hard['gain']:.2f} ({round(100 * hard['gain'] / gain['gain'])} %)"
    assert f"Hard alone, which is label cleaning, brings {brought};" in words
    assert "smooth with ε = 0.1 alone, which is regularisation, brings none that is shown" in words
    assert not any(s.startswith("What else") for s in made["sentences"]["tree"])


def test_no_difference_is_said_with_the_smallest_that_would_be_shown(kd: Kd, tiny: Path) -> None:
    made = compared(kd)
    accuracy = made["students"][1]["versus"]["accuracy"]
    assert accuracy["verdict"] == "no difference shown"
    words = "No difference from labels in accuracy is shown for soft at T = 4 (one of {:.2f} points"
    text = " ".join(made["sentences"]["mlp:4"])
    assert words.format(100 * accuracy["detectable"]) in text
    assert any("may well go unseen" in warning for warning in made["warnings"])


def test_warning_of_soft_labels_that_are_hard(kd: Kd, tiny: Path) -> None:
    assert not any("nearly hard" in warning for warning in compared(kd)["warnings"])
    kd("distill", "--target", "soft", "--temperature", "0.05")
    (warning,) = (text for text in compared(kd)["warnings"] if "nearly hard" in text)
    assert warning.startswith("At T = 0.05 the teacher's soft labels are nearly hard")


def test_warning_of_a_temperature_that_does_nothing(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "soft", "--temperature", "500,1000")  # both match logits, as all large ones do
    (text,) = (text for text in compared(kd)["warnings"] if "does nothing" in text)
    assert text.startswith("mlp:4: soft at T = 500 and soft at T = 1000 score alike, seed by seed")


def test_warning_of_students_that_are_better_than_their_teacher(kd: Kd) -> None:
    made = run(kd, BAD_TEACHER.replace("seeds = 5", "seeds = 5\nlabel_weight = 0.9"))
    (warning,) = (text for text in made["warnings"] if "better than its teacher" in text)
    assert warning.startswith("mlp:4: soft at T = 4 with w = 0.9 is better than its teacher by ")
    gap = made["students"][1]["metrics"]["accuracy"]["mean"] - made["teacher"]["metrics"]["accuracy"]
    assert f"{100 * gap:.2f} points of accuracy" in warning


def test_numbers_with_their_units() -> None:
    assert amount("accuracy", 0.0293) == "2.93 points of accuracy"
    assert amount("nll", 0.5) == "0.5000 nats of NLL"
    assert amount("brier", 0.5) == "0.5000 in Brier score"
    assert amount("errors", 12.04) == "12.0 errors"
    assert number("accuracy", -0.0123) == "−1.23"
    assert number("accuracy", -0.00001) == "0.00"


def test_a_gain_is_explained_by_students_of_the_same_model_alone(kd: Kd) -> None:
    kd("gen-data", "moons", "--n-samples", "1000", "--n-test", "3000")
    kd("train-teacher", "--epochs", "60")
    models = ["--model", "tree", "--model", "tree:max_leaf_nodes=60"]
    kd("distill", *models, "--target", "hard,soft", "--seeds", "3")
    kd("distill", "--model", "tree", "--target", "labels", "--seeds", "3", "--name", "alone")
    made = json.loads(kd("compare", "--control", "alone", "--unpaired", "--json").out)
    model = {one["name"]: one["model"] for one in made["students"]}
    assert made["attributions"]
    for gain in made["attributions"]:
        assert all(model[share["by"]] == model[gain["students"]] for share in gain["shares"])


def test_one_seed_is_answered_with_a_command_that_works(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "labels,hard", "--model", "tree", "--seeds", "1")
    (warning,) = (text for text in compared(kd)["warnings"] if text.startswith("No verdict"))
    command = re.search(r"`kd (.*)`", warning)
    assert command
    assert command[1] == "distill --target labels,hard --model tree --seeds 10 --force"
    assert kd(*command[1].split()).code == 0
    assert not any(text.startswith("No verdict") for text in compared(kd)["warnings"])


def test_verdicts_on_the_calibration_error_come_with_a_caveat(kd: Kd, tiny: Path) -> None:
    made = json.loads(kd("compare", "--metric", "ece", "--json").out)
    assert any("calibration error is biased" in text for text in made["warnings"])
