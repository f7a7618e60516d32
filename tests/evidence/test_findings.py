import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import BAD_TEACHER, Kd, compared, compared_run, forge


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


def without_seeds(folder: Path, here: list[int], gone: list[int]) -> None:
    """Let a set of as many seeds be one that left out others."""
    config = json.loads((folder / "meta.json").read_text())["config"]
    forge(folder, config={**config, "seeds": here, "diverged": gone})


def test_shares_add_up_on_the_seeds_that_all_sets_have(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "moons", "--n-samples", "1000", "--n-test", "3000")
    kd("train-teacher", "--epochs", "60")
    kd("distill", "--model", "tree", "--target", "labels,hard,soft", "--seeds", "4")
    kd("distill", "--model", "tree", "--target", "smooth", "--seeds", "3")
    without_seeds(outputs / "moons/students/smooth-e0.1-tree", [0, 1, 3], [2])
    made = compared(kd)
    gain = made["attributions"][0]
    assert gain["seed_numbers"] == [0, 1, 3]
    of = {one["name"]: one["metrics"]["accuracy"]["per_seed"] for one in made["students"]}
    gains = [of["soft-T1-tree"][k] - of["labels-tree"][k] for k in (0, 1, 3)]
    assert gain["gain"] == pytest.approx(sum(gains) / 3)
    assert len(gain["shares"]) == 2
    for share in gain["shares"]:
        assert share["gain"] + share["beyond"]["difference"] == pytest.approx(gain["gain"])
    (words,) = (s for s in made["sentences"]["tree"] if s.startswith("Of the"))
    assert "on the 3 seeds that these sets have in common" in words

    kd("distill", "--model", "tree", "--target", "smooth,hard", "--seeds", "2", "--force")
    without_seeds(outputs / "moons/students/smooth-e0.1-tree", [0, 1], [2, 3])
    without_seeds(outputs / "moons/students/hard-tree", [2, 3], [0, 1])
    made = compared(kd)
    gain = made["attributions"][0]
    assert (gain["shares"], gain["why"]) == ([], "the sets that could tell have no seed in common")
    (words,) = (s for s in made["sentences"]["tree"] if s.startswith("Where the"))
    assert words.startswith("Where the accuracy comes from that soft at T = 1 gains over labels is not told")


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
