import csv
import json
import math
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, compared, edit_recipe, forge, in_part, interrupted_after_one_write, opened, students
from safetensors.torch import load_file, save
from torch import Generator

from kdcli.models.family import History
from kdcli.models.stack import Stack
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.runs import room
from kdcli.training import workshop
from kdcli.training.examples import Examples
from kdcli.training.loop import fit
from kdcli.workers import Result

FILES = ("model.safetensors", "predictions.safetensors", "history.safetensors")


def test_every_target_and_temperature_makes_a_set(kd: Kd, tiny: Path) -> None:
    outcome = kd("distill", "--target", "hard,bayes,soft", "--target", "bayes-soft", "-T", "1,2.5", "--json")
    assert outcome.code == 0
    document = json.loads(outcome.out)
    names = ["hard-mlp4", "bayes-mlp4", "soft-T1-mlp4", "soft-T2.5-mlp4", "bayes-soft-mlp4"]
    assert [entry["name"] for entry in document["students"]] == names
    assert document["students_trained"] == 10
    assert set(document) == {"run", "students", "students_trained", "epochs", "training_seconds"}
    assert set(document["students"][0]) == {"name", "path", "seeds", "diverged", "overflowed"}
    assert all(Path(entry["path"], "meta.json").is_file() for entry in document["students"])


def test_predictions_are_those_of_the_stored_students(tiny: Path) -> None:
    soft = students(tiny, "soft-T4-mlp4")
    (stored,) = soft.load_tested()
    assert stored.shape == (2, 400, 2)
    torch.testing.assert_close(soft.load_model().predict(soft.experiment.data.splits["test"].x), stored)
    history = soft.load_history()
    assert history is not None
    assert history["val"].shape == (1, 2, 21)


@pytest.mark.parametrize("model", ["mlp:4", "tree"])
def test_every_draw_has_students_of_its_own_taught_and_tested_on_it(
    kd: Kd, two_draws: Path, model: str
) -> None:
    outcome = kd("distill", "--model", model, "--seeds", "3", "--json")
    assert json.loads(outcome.out)["students_trained"] == 2 * 2 * (1 if model == "mlp:4" else 3)
    soft = students(two_draws, "soft-T4-" + model.replace(":", ""))
    stored, data = soft.load_tested(), soft.experiment.data
    assert stored.shape == (2, 3, 400, 2)
    stack = soft.load_model()
    assert stack.members == 6
    for draw in range(2):
        x, y, _ = data.pool.split("test", draw)
        for seed in range(3):
            logits = soft.member(stack, seed, draw).predict(x)[0]
            torch.testing.assert_close(logits, stored[draw, seed])
            right = (logits.argmax(1) == y).double().mean()
            assert soft.metrics["accuracy"][draw][seed] == pytest.approx(float(right))
    assert not torch.allclose(stored[0], stored[1], atol=0.1)


def test_a_person_is_told_of_all_students_of_all_draws(kd: Kd, two_draws: Path) -> None:
    out = kd("distill", "--target", "hard").out
    assert out.startswith("run tiny: 4 students of mlp:4, 20 epochs")
    assert "students on the test split, mean (sd) over draws and seeds" in out


def test_the_same_command_gives_the_same_bits_twice(kd: Kd, tiny: Path) -> None:
    folder = tiny / "students/soft-T4-mlp4"
    before = {file.name: file.read_bytes() for file in folder.glob("*.safetensors")}
    assert kd("distill", "--epochs", "3", "--force").code == 0
    assert (folder / "model.safetensors").read_bytes() != before["model.safetensors"]
    assert kd("distill", "--force").code == 0
    assert {file.name: file.read_bytes() for file in folder.glob("*.safetensors")} == before


def test_a_set_trained_beside_others_is_the_set_trained_alone(kd: Kd, tiny: Path) -> None:
    assert kd("distill", "--target", "soft", "--seeds", "1", "--name", "alone").code == 0
    together, alone = (
        load_file(tiny / "students" / name / "model.safetensors") for name in ("soft-T4-mlp4", "alone")
    )
    for key, value in alone.items():
        torch.testing.assert_close(value[:, 0], together[key][:, 0], rtol=1e-4, atol=1e-5)


def test_several_models_at_once_networks_and_trees(kd: Kd, tiny: Path) -> None:
    outcome = kd(
        "distill", "--model", "mlp:3", "--model", "tree", "--model", "tree:max_depth=2", "--epochs", "3"
    )
    assert outcome.code == 0
    assert outcome.out.startswith("run tiny: 12 students of 3 models, 3 epochs")
    network, tree = students(tiny, "labels-mlp3"), students(tiny, "labels-tree-depth2")
    assert network.set.settings.epochs == 3
    assert not {"epochs", "batch_size", "learning_rate"} & set(tree.meta.config)
    assert set(tree.metrics) == {"accuracy", "errors", "nll", "leaves", "depth"}
    assert max(tree.metrics["depth"][0]) == 2
    assert set(tree.meta.files) == {"model.safetensors", "predictions.safetensors"}
    assert tree.load_history() is None
    assert "up to date" in kd("distill", "--model", "tree").out


def test_a_stored_tree_predicts_bit_for_bit(kd: Kd, tiny: Path) -> None:
    kd("distill", "--model", "tree")
    for name in ("labels-tree", "soft-T4-tree"):
        trees = students(tiny, name)
        (stored,) = trees.load_tested()
        assert stored.shape == (2, 400, 2)
        assert torch.equal(trees.load_model().predict(trees.experiment.data.splits["test"].x), stored)


def test_an_infinite_likelihood_is_reported_as_such(kd: Kd, tiny: Path) -> None:
    outcome = kd("distill", "--model", "tree", "--target", "labels,soft")
    (labels,) = re.findall(r"  labels .*", outcome.out)
    (soft,) = re.findall(r"  soft.*", outcome.out)
    assert "∞" in labels
    assert "∞" not in soft
    trees = students(tiny, "labels-tree")
    assert trees.metrics["nll"] == [[math.inf, math.inf]]


def test_a_damaged_set_is_made_again_by_the_command_that_is_named(kd: Kd, tiny: Path) -> None:
    kd(
        "distill",
        "--model",
        "tree:max_depth=2",
        "--target",
        "soft",
        "-T",
        "2",
        "--seeds",
        "3",
        "--name",
        "mine",
    )
    file = tiny / "students/mine/model.safetensors"
    before = file.read_bytes()
    file.write_bytes(before[:-8] + b"tampered")
    outcome = kd("plot")
    assert f"remove {file.parent} and make it again with" in outcome.err
    (command,) = re.findall(r"`kd (.*?)`", outcome.err)
    shutil.rmtree(file.parent)
    assert kd(*shlex.split(command)).code == 0
    assert file.read_bytes() == before
    assert kd("plot").code == 0


def test_a_tampered_tree_is_refused(kd: Kd, tiny: Path) -> None:
    """Even one whose digests were made to fit: it could otherwise run for ever."""
    kd("distill", "--model", "tree", "--target", "labels")
    file = tiny / "students/labels-tree/model.safetensors"
    arrays = load_file(file)
    file.write_bytes(file.read_bytes()[:-8] + b"tampered")
    assert "is damaged" in kd("plot").err
    arrays["branches"][0, 0] = torch.tensor([0, 1])
    forge(file.parent, {file.name: save(arrays)})
    outcome = kd("plot")
    assert outcome.code == 1
    assert "model.safetensors is damaged: a child is not numbered above its parent" in outcome.err


def test_a_transfer_set_is_a_fixed_part_of_the_training_split(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(model: Stack, train: Examples, *rest: Any, **options: Any) -> History:
        seen.append((train.whole, train.objective))
        return fit(model, train, *rest, **options)

    monkeypatch.setattr("kdcli.training.parts.fit", spy)
    for target in ("labels", "soft"):
        assert kd("distill", "--target", target, "--transfer", "train:41", "--epochs", "2").code == 0
    x, objective = seen[0]
    assert len(seen) == 4  # two parts of each target
    assert all(torch.equal(x, other) for other, _ in seen)
    train = opened(tiny).data.splits["train"]
    index = [int((train.x == row).all(1).nonzero()) for row in x[0]]
    assert len(set(index)) == 41
    assert torch.equal(objective.target.argmax(-2).flatten(), train.y[index])
    assert abs(float(train.y[index].double().mean()) - 0.5) < 0.02
    assert students(tiny, "labels-n41-mlp4").set.settings.transfer == "train:41"
    assert kd("distill", "--model", "tree", "--transfer", "train:41", "--target", "soft").code == 0
    assert (tiny / "students/soft-T4-n41-tree/meta.json").is_file()


def test_the_teacher_is_not_asked_again(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: StackedMLP, x: torch.Tensor) -> torch.Tensor:
        assert self.weights[0].shape[1] != 8, "this is the teacher's shape, mlp:8"
        return original(self, x)

    original = StackedMLP.forward
    monkeypatch.setattr(StackedMLP, "forward", forward)
    assert kd("distill", "--target", "hard,soft", "-T", "1,8", "--epochs", "2", "--seeds", "1").code == 0
    with pytest.raises(AssertionError, match="mlp:8"):
        kd("train-teacher", "--epochs", "2", "--force")


def test_targets_without_a_teacher_need_none(kd: Kd) -> None:
    kd("gen-data", "--n-samples", "60", "--n-test", "40", "--draws", "1")
    assert kd("distill", "--target", "labels,bayes,bayes-soft", "--epochs", "2", "--seeds", "1").code == 0
    outcome = kd("distill", "--target", "soft", "--epochs", "2")
    assert outcome.code == 1
    assert "kd train-teacher" in outcome.err


def test_students_of_a_replaced_teacher_are_stale(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    refused = kd("distill")
    assert refused.code == 1
    assert "soft-T4-mlp4 is stale" in refused.err
    assert "up to date" in kd("distill", "--target", "labels").out
    renewed = kd("distill", "--force")
    assert renewed.code == 0
    assert renewed.out.count("up to date") == 1


def test_stale_data_stop_every_later_stage(kd: Kd, tiny: Path) -> None:
    kd("gen-data", "--recipe", str(tiny / "recipe.toml"), "--run", "tiny", "--seed", "5", "--force")
    for command in (["distill"], ["plot"]):
        outcome = kd(*command)
        assert outcome.code == 1
        assert "kd train-teacher --force" in outcome.err


def test_the_command_that_renews_a_set_renews_that_set(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "soft", "-T", "2.5", "--model", "mlp:3", "--epochs", "4", "--seeds", "1")
    kd("distill", "--target", "hard", "--name", "mine", "--learning-rate", "0.05", "--batch-size", "20")
    kd("distill", "--target", "hard", "--model", "tree:max_leaf_nodes=3,min_samples_leaf=2")
    kd("train-teacher", "--epochs", "3", "--force")
    hints = re.findall(r"`kd (.*?)` renews", kd("plot", "learning-curves").out)
    assert len(hints) == 4
    for hint in hints:
        assert kd(*shlex.split(hint)).code == 0
    outcome = kd("plot", "learning-curves")
    assert "left out" not in outcome.out
    assert students(tiny, "mine").set.settings.batch_size == 20


def test_all_examples_over_a_recipe_with_few_are_renewed_as_such(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, 'transfer = "train"', 'transfer = "train:40"')
    kd("train-teacher", "--epochs", "3", "--force")
    (hint,) = re.findall(r"`kd (.*?)` renews", kd("plot", "learning-curves").out)
    assert "--transfer train" in hint
    assert kd(*shlex.split(hint)).code == 0
    assert "left out students" not in kd("plot", "learning-curves").out


def test_label_weight_has_a_name_of_its_own(kd: Kd, tiny: Path) -> None:
    assert kd("distill", "--target", "soft", "--label-weight", "0.3").code == 0
    assert (tiny / "students/soft-T4-w0.3-mlp4/meta.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--target", "sfot"], 2, "no target 'sfot'; did you mean soft?"),
        (["--target", "soft", "--temperature", "0"], 2, "--temperature: must be at least 0.01"),
        (["--target", "soft", "--temperature", "a"], 2, "'a' is not a list of numbers or auto"),
        (["--target", "hard", "--temperature", "2"], 2, "no effect"),
        (["--target", "labels", "--temperature", "auto"], 2, "--temperature: no effect on labels"),
        (["--target", "hard", "--smoothing", "0.2"], 2, "--smoothing: no effect on hard"),
        (["--target", "smooth", "--smoothing", "1"], 2, "--smoothing: must be above 0 and below 1"),
        (["--target", "shuffled"], 2, "needs 3 classes or more, but the data have 2"),
        (["--label-weight", "1.5"], 2, "--label-weight: must be at least 0 and at most 1"),
        (["--model", "mlp:0"], 2, "a width must be"),
        (["--seeds", "0"], 2, "--seeds: must be at least 1"),
        (["--transfer", "train:1"], 2, "1 of 160 training examples cannot include every"),
        (["--transfer", "train:161"], 2, "161 of 160 training examples"),
        (["--transfer", "train:-1"], 2, "--transfer: train takes a whole number from 1"),
        (["--transfer", "munge:5"], 2, "--transfer: a transfer set begins with train"),
        (["--transfer", "train+mung:5"], 2, "did you mean munge?"),
        (["--transfer", "train+pool:p.csv", "--target", "soft"], 2, "is for tables and images of your own"),
        (["--model", "cnn:2,3"], 2, "needs images"),
        (["--name", "x"], 2, "--name is for one student set"),
        (["--target", "soft", "--name", "../x"], 2, "cannot name a student set"),
        (["--learning-rate", "1e30", "--force"], 1, "became non-finite"),
        (["--epochs", "7"], 1, "epochs = 20, not 7"),
        (["--model", "tree", "--epochs", "7"], 2, "--epochs: no effect on tree"),
        (["--model", "tree:max_depth=0"], 2, "max_depth must be a whole number from 1"),
        (["--model", "tree:max_depth=1,max_leaf_nodes=4"], 2, "out of reach"),
        (["--model", "tree:min_samples_leaf=100"], 2, "allows no split of 160 training examples"),
        (["--model", "mlp:3,tree:max_depth=0"], 2, "model 'tree:max_depth=0': max_depth must be"),
        (["--model", "tree", "--model", "mlp:3", "--target", "soft", "--name", "x"], 2, "makes 2"),
    ],
)
def test_bad_input_leaves_the_students_as_they_were(
    kd: Kd, tiny: Path, arguments: list[str], code: int, words: str
) -> None:
    before = sorted((p, p.read_bytes()) for p in tiny.rglob("*") if p.is_file())
    outcome = kd("distill", *arguments)
    assert outcome.code == code
    assert words in outcome.err
    assert sorted((p, p.read_bytes()) for p in tiny.rglob("*") if p.is_file()) == before


def test_bayes_targets_on_data_whose_posterior_nobody_knows(kd: Kd) -> None:
    kd("gen-data", "digits", "--draws", "1")
    outcome = kd("distill", "--target", "bayes-soft")
    assert outcome.code == 2
    assert "target bayes-soft needs the exact posterior, which is unknown for digits" in outcome.err
    assert "known posterior: gaussians, moons" in outcome.err


def test_controls_that_tell_regularisation_and_confidence_apart(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "digits", "--draws", "1")
    kd("train-teacher", "--epochs", "1")
    made = kd("distill", "--target", "smooth,shuffled,soft", "-T", "4", "--seeds", "2", "--epochs", "2")
    assert made.code == 0
    folder = outputs / "digits/students"
    assert sorted(p.name for p in folder.iterdir()) == [
        "shuffled-T4-mlp10-10",
        "smooth-e0.1-mlp10-10",
        "soft-T4-mlp10-10",
    ]
    records = {p.name: json.loads((p / "meta.json").read_text())["config"] for p in folder.iterdir()}
    assert records["smooth-e0.1-mlp10-10"]["smoothing"] == 0.1
    assert "smoothing" not in records["soft-T4-mlp10-10"]
    # A new share makes a new set, and its command names it.
    kd("distill", "--target", "smooth", "--smoothing", "0.3", "--seeds", "3", "--epochs", "2")
    assert (folder / "smooth-e0.3-mlp10-10").is_dir()
    kd("train-teacher", "--epochs", "2", "--force")
    assert "smooth" not in str(json.loads(kd("plot", "--json").out)["left_out"])  # it needs no teacher
    kd("gen-data", "--seed", "1", "--force", "--run", "digits")
    kd("train-teacher", "--force")
    left_out = json.loads(kd("plot", "--json").out)["left_out"]
    assert "--epochs 2 --smoothing 0.3 --seeds 3 --force" in left_out["students/smooth-e0.3-mlp10-10"]


def test_sets_that_were_not_stored_yet_end_as_if_nothing_had_been_cut_off(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("distill", "--target", "labels,hard,soft", "--model", "mlp:7", "--seeds", "3")
    assert kd(*arguments).code == 0
    names = [f"{target}-mlp7" for target in ("labels", "hard", "soft-T4")]
    files = [tiny / "students" / name / file for name in names for file in FILES]
    before = [file.read_bytes() for file in files]
    for name in names:
        shutil.rmtree(tiny / "students" / name)
    with interrupted_after_one_write(monkeypatch) as stored:
        assert kd(*arguments).code == 130
    assert len(stored) == 1
    assert (tiny / ".resume/students-mlp7.0").is_file()
    again = kd(*arguments)
    assert again.code == 0
    assert again.out.count("up to date") == 1
    assert [file.read_bytes() for file in files] == before
    assert not (tiny / ".resume").exists()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--seeds", "1000000"], r"lower --seeds to \d+"),
        (["--seeds", "1" + "0" * 30], r"lower --seeds to \d+"),
        (["--seeds", "1" + "0" * 200], r"lower --seeds to \d+"),
        (["--model", "mlp:1000000,1000000"], "name a smaller --model"),
        (["--model", "mlp:4", "--model", "tree", "--seeds", "1000000"], r"lower --seeds to \d+"),
        (["--model", "tree", "--seeds", "1000000"], r"lower --seeds to \d+"),
        (["--model", "mlp:200000", "--seeds", "1000", "--batch-size", "10"], r"lower --"),
    ],
)
def test_students_that_do_not_fit_are_refused_at_once(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], hint: str
) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 21 * 10**9)
    before = sorted((tiny / "students").iterdir())
    outcome = kd("distill", *arguments, "--force")
    assert outcome.code == 1
    assert "of memory, but only 21 GB are free" in outcome.err
    assert re.search(hint, outcome.err)
    assert sorted((tiny / "students").iterdir()) == before


def test_students_that_fit_as_the_hint_says(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 3 * 10**6)
    many = ("distill", "--epochs", "1", "--target", "smooth", "--seeds")
    outcome = kd(*many, "500")
    assert outcome.code == 1
    assert kd(*many, re.findall(r"lower --seeds to (\d+)", outcome.err)[0]).code == 0


def test_a_full_disk_is_found_before_students_are_trained(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_disk", lambda folder: 1000)
    for model in ("mlp:4", "tree"):
        assert (
            "on disk, but only 1.0 kB are free"
            in kd("distill", "--model", model, "--seeds", "3", "--force").err
        )


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let members of the next stacks diverge; a call sets which."""
    train, initialise = workshop.train_part, StackedMLP.initialise
    members: list[int] = []

    def part(task: Mapping[str, Any], *rest: Any) -> Result:
        def poisoned(stack: StackedMLP, generators: Sequence[Generator]) -> None:
            initialise(stack, generators)
            with torch.no_grad():
                for member in in_part(task, members):
                    stack.weights[0][member, 0, 0] = torch.nan

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(StackedMLP, "initialise", poisoned)
            return train(task, *rest)

    def of(*chosen: int) -> None:
        members[:] = chosen

    monkeypatch.setattr(workshop, "train_part", part)
    return of


THREE = ("distill", "--seeds", "3", "--force")  # member 2 s + t has seed s and target t: labels, soft


def test_a_seed_that_diverges_costs_the_others_nothing_if_so_asked(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    assert kd(*THREE).code == 0
    before = {path: load_file(path) for path in (tiny / "students").rglob("*.safetensors")}
    assert kd("distill", "--force").code == 0

    poison(3)
    stopped = kd(*THREE)
    assert stopped.code == 1
    assert "the loss of soft, T = 4 (seed 1) became non-finite by epoch 0" in stopped.err
    assert "--keep-going" in stopped.err

    done = kd(*THREE, "--keep-going")
    assert done.code == 0
    assert "soft, T = 4, 2 of 3 seeds" in done.out
    assert "seed 1 left out" in done.out
    config = json.loads((tiny / "students/soft-T4-mlp4/meta.json").read_text())["config"]
    assert (config["seeds"], config["diverged"]) == ([0, 2], [1])
    for path, tensors in before.items():
        for name, value in load_file(path).items():
            whole = tensors[name]
            left_out = "soft" in str(path) and name != "epochs"
            assert torch.equal(value, whole[:, [0, 2]] if left_out else whole)

    again = json.loads(
        kd("distill", "--seeds", "3", "--json").out
    )  # the stored seeds are exactly those requested
    assert again["students_trained"] == 0
    assert [one["diverged"] for one in again["students"]] == [[], [1]]
    poison()  # more seeds are added to the existing ones
    more = json.loads(kd("distill", "--seeds", "4", "--target", "soft", "--json").out)
    assert [(one["seeds"], one["diverged"]) for one in more["students"]] == [([0, 2, 3], [1])]


def test_a_seed_that_diverges_in_one_draw_is_left_out_of_all(
    kd: Kd, two_draws: Path, poison: Callable[..., None]
) -> None:
    assert kd(*THREE).code == 0
    before = {path: load_file(path) for path in (two_draws / "students").rglob("*.safetensors")}
    assert kd("distill", "--force").code == 0
    poison(3)  # in the first draw alone
    stopped = kd(*THREE)
    assert stopped.code == 1
    assert "the loss of soft, T = 4 (seed 1 of draw 0) became non-finite" in stopped.err
    assert kd(*THREE, "--keep-going").code == 0
    soft = students(two_draws, "soft-T4-mlp4")
    assert (soft.set.seeds, soft.set.diverged) == ((0, 2), (1,))
    assert [len(of_draw) for of_draw in soft.metrics["nll"]] == [2, 2]
    for path, tensors in before.items():
        for name, value in load_file(path).items():
            left_out = "soft" in str(path) and name != "epochs"
            assert torch.equal(value, tensors[name][:, [0, 2]] if left_out else tensors[name])
    labels, ours = (one["metrics"]["nll"]["per_seed"] for one in compared(kd)["students"])
    expected = [
        (of_soft[0] - of_labels[0] + of_soft[1] - of_labels[2]) / 2
        for of_soft, of_labels in zip(ours, labels, strict=True)
    ]
    versus = compared(kd)["students"][1]["versus"]["nll"]
    assert versus["by_draw"] == pytest.approx(expected)
    assert versus["seeds"] == 2


def test_every_table_after_says_which_seeds_are_left_out(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    poison(3)
    assert kd(*THREE, "--keep-going").code == 0
    few = "soft, T = 4, 2 of 3 seeds"
    found = compared(kd)
    soft = found["students"][1]
    assert (soft["seeds"], soft["diverged"]) == (2, [1])
    assert soft["versus"]["paired"]
    # Paired on the seeds that both have, so not the difference of the two means.
    (labels,), (ours,) = (one["metrics"]["nll"]["per_seed"] for one in found["students"])
    expected = (ours[0] - labels[0] + ours[1] - labels[2]) / 2
    assert soft["versus"]["nll"]["difference"] == pytest.approx(expected)
    assert any("seed 1 left out" in warning for warning in found["warnings"])
    assert few in kd("compare").out
    rows = list(csv.DictReader(kd("compare", "--csv").out.splitlines()))
    told = {(row["name"], row["seeds"], row["diverged"], row["overflowed"]) for row in rows}
    assert told >= {("labels-mlp4", "3", "", ""), ("soft-T4-mlp4", "2", "1", "")}
    assert {row["difference_seeds"] for row in rows if row["difference"]} == {"2"}
    assert few in kd("show").out
    assert "seed 1 left out" in kd("show").out.replace("\n", " ")
    assert kd("plot").code == 0
    assert json.loads(kd("check", "--json").out)["damaged"] == 0


def test_sets_that_diverge_in_different_seeds_are_compared_on_what_is_left(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    poison(3, 0, 4)
    assert kd(*THREE, "--keep-going").code == 0
    versus = json.loads(kd("compare", "--json").out)["students"][1]["versus"]
    assert (versus["nll"]["difference"], versus["nll"]["reason"]) == (
        None,
        "no seed in common: no seed was trained successfully in both sets",
    )
    assert "no seed in common" in kd("compare").out
    plotted = kd("plot").out.replace("\n", " ")
    assert "left out differences: no student set has a seed in common with its control" in plotted


def test_a_part_that_diverges_as_a_whole_costs_the_other_seeds_nothing(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    assert kd(*THREE).code == 0
    before = {path: load_file(path) for path in (tiny / "students").rglob("history.safetensors")}
    assert kd("distill", "--force").code == 0  # two seeds again, so that the third is trained once more
    poison(0, 1)  # seed 0 of both targets, which is trained apart from the others
    assert kd(*THREE, "--keep-going").code == 0
    for path, tensors in before.items():
        config = json.loads((path.parent / "meta.json").read_text())["config"]
        assert (config["seeds"], config["diverged"]) == ([1, 2], [0])
        kept = load_file(path)
        assert torch.equal(kept["epochs"], tensors["epochs"])
        assert torch.equal(kept["train"], tensors["train"][:, [1, 2]])


def test_a_set_that_diverges_as_a_whole_is_not_written_and_the_others_are(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    before = (tiny / "students/soft-T4-mlp4/meta.json").read_bytes()
    poison(1, 3, 5)
    outcome = kd(*THREE, "--keep-going")
    assert outcome.code == 1
    assert (
        "no student of soft, T = 4 (mlp:4) is left: every seed had a non-finite loss or output" in outcome.err
    )
    assert "the other sets are stored" in outcome.err
    assert (tiny / "students/soft-T4-mlp4/meta.json").read_bytes() == before
    config = json.loads((tiny / "students/labels-mlp4/meta.json").read_text())["config"]
    assert config["seeds"] == [0, 1, 2]


def test_a_network_that_diverges_as_a_whole_costs_no_other_model_its_students(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    poison(0, 1, 2, 3)
    assert "nothing was written" in kd("distill", "--model", "mlp:3", "--keep-going").err
    outcome = kd("distill", "--model", "mlp:3,tree", "--keep-going")
    assert outcome.code == 1
    assert "no student of labels (mlp:3) and of soft, T = 4 (mlp:3) is left" in outcome.err
    names = {path.name for path in (tiny / "students").iterdir()}
    assert names == {"labels-mlp4", "soft-T4-mlp4", "labels-tree", "soft-T4-tree"}


def test_a_seed_whose_outputs_are_no_numbers_on_other_data_is_told_apart(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = workshop.train_part

    def overflowing(task: Mapping[str, Any], *rest: Any) -> Result:
        result = train(task, *rest)
        result.tensors["logits.test"][in_part(task, [3])] = torch.inf
        return result

    monkeypatch.setattr(workshop, "train_part", overflowing)
    stopped = kd(*THREE)
    assert stopped.code == 1
    assert "the output of soft, T = 4 (seed 1) is not finite everywhere" in stopped.err
    assert (tiny / ".resume").is_dir()  # --keep-going resumes from it

    document = json.loads(kd(*THREE, "--keep-going", "--json").out)
    assert [(one["diverged"], one["overflowed"]) for one in document["students"]] == [([], []), ([], [1])]
    assert not (tiny / ".resume").exists()
    assert json.loads(kd("check", "--json").out)["damaged"] == 0
    (warning,) = (text for text in json.loads(kd("compare", "--json").out)["warnings"] if "left out" in text)
    assert "seed 1 left out: non-finite test outputs" in warning
    assert "The test split decided which seeds were left out." in warning


def test_seeds_that_were_left_out_are_no_difference_from_what_is_asked_for(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    poison(3)
    assert kd(*THREE, "--keep-going").code == 0
    outcome = kd("distill", "--seeds", "3", "--target", "soft", "--epochs", "7")
    assert outcome.code == 1
    assert "was made with epochs = 20, not 7\n" in outcome.err


def test_students_left_out_are_made_again_by_the_command_that_is_named(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    poison(3)
    assert kd(*THREE, "--keep-going").code == 0
    folder = tiny / "students/soft-T4-mlp4"
    (folder / "model.safetensors").write_bytes(b"")
    (item,) = [
        one
        for one in json.loads(kd("check", "--json").out)["runs"][0]["artefacts"]
        if one["state"] == "damaged"
    ]
    assert item["again"] == "kd distill --target soft --temperature 4 --seeds 3 --keep-going"
    shutil.rmtree(folder)
    poison(1)  # the set is now trained alone: its seed 1 is member 1
    assert kd(*shlex.split(item["again"])[1:]).code == 0
    assert json.loads(kd("check", "--json").out)["damaged"] == 0
