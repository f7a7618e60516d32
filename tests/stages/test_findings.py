import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import BAD_TEACHER, Kd, compared, compared_run


def test_a_loss_is_said_with_its_size_interval_and_sample(kd: Kd) -> None:
    made = compared_run(kd, BAD_TEACHER)
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
    made = compared_run(kd, BAD_TEACHER)
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
