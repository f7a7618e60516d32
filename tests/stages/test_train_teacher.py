import json
import re
from pathlib import Path

import pytest
import torch
from harness import Kd, edit_recipe, opened, poison_last_member

from kdcli.models.stacked_cnn import StackedCNN
from kdcli.report.words import number
from kdcli.rng import generator
from kdcli.runs import room
from kdcli.store import Store
from kdcli.training import resuming


@pytest.mark.parametrize("fixture", ["tiny", "two_draws"])
def test_checkpoint_and_logits_belong_together(request: pytest.FixtureRequest, fixture: str) -> None:
    run: Path = request.getfixturevalue(fixture)
    data, teacher = opened(run).data, opened(run).teacher
    model, logits = teacher.load_model(), teacher.logits
    assert model.members == data.draws
    for name, index in data.pool.index.items():
        assert logits[name].shape == (*index.shape, 2)
        for draw in range(data.draws):
            of_draw = teacher.member(model, 0, draw).predict(data.pool.split(name, draw).x)[0]
            torch.testing.assert_close(of_draw, logits[name][draw])
    history = teacher.load_history()
    assert history is not None
    assert history["train"].shape == (data.draws, 1, 21)
    right = (logits["test"].argmax(2) == data.pool.y[data.pool.index["test"]]).double()
    assert teacher.metrics["accuracy"] == [[pytest.approx(accuracy)] for accuracy in right.mean(1).tolist()]


def test_every_draw_has_a_teacher_of_its_own(two_draws: Path) -> None:
    tensors = opened(two_draws).teacher.load_tensors()
    for name, (first, second) in tensors.items():
        assert not torch.equal(first, second), name


def test_the_scores_that_are_told_are_means_over_draws(kd: Kd, two_draws: Path) -> None:
    by_draw = opened(two_draws).teacher.metrics
    told = json.loads(kd("train-teacher", "--json").out)["metrics"]
    assert set(told) == {"accuracy", "errors", "nll"}
    for name, value in told.items():
        (first,), (second,) = by_draw[name]
        assert value == pytest.approx((first + second) / 2)
    assert kd("train-teacher").out.startswith(
        f"run tiny: 2 teachers mlp:8, 20 epochs, mean test accuracy {number(told['accuracy'], '%')} %, "
        f"NLL {number(told['nll'], 'nats')} nats\n"
    )


def test_the_scores_of_one_teacher_are_its_own(kd: Kd, tiny: Path) -> None:
    told = json.loads(kd("train-teacher", "--json").out)["metrics"]
    assert {name: [[value]] for name, value in told.items()} == opened(tiny).teacher.metrics
    assert isinstance(told["errors"], int)


def test_a_teacher_that_diverges_is_named_with_its_draw(
    kd: Kd, two_draws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_last_member(monkeypatch)
    before = (two_draws / "teacher/meta.json").read_bytes()
    outcome = kd("train-teacher", "--epochs", "3", "--force")
    assert outcome.code == 1
    assert re.search(r"the loss of the teacher of draw \d became non-finite", outcome.err)
    assert (two_draws / "teacher/meta.json").read_bytes() == before


def test_a_flag_overrides_the_recipe_and_is_recorded(kd: Kd, tiny: Path) -> None:
    assert "up to date" in kd("train-teacher").out
    refused = kd("train-teacher", "--epochs", "7")
    assert refused.code == 1
    assert "epochs = 20, not 7" in refused.err
    assert kd("train-teacher", "--epochs", "7", "--batch-size", "50", "--force").code == 0
    assert opened(tiny).teacher.record.settings.epochs == 7
    assert "epochs = 20" in (tiny / "recipe.toml").read_text()


def test_the_command_that_renews_it_trains_the_same_teacher(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "7", "--model", "mlp:5", "--force")
    kd("gen-data", "--run", "tiny", "--seed", "5", "--force")
    assert "`kd train-teacher --epochs 7 --model mlp:5 --force`" in kd("distill").err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "mlp:"], 2, "a width must be"),
        (["--model", "cmn:3"], 2, "no model 'cmn'; did you mean cnn?"),
        (["--model", "cnn:3,5"], 2, "needs images of at least 3 × 3 pixels, not 2 features"),
        (["--precision", "float16"], 2, "--precision: must be one of auto, float32, bfloat16, not 'float16'"),
        (["--schedule", "cosine"], 2, "one of constant, linear"),
        (["--device", "gpu"], 2, "one of auto, cpu, cuda"),
        (["--model", "tree", "--epochs", "5"], 2, "--epochs: no effect on tree"),
        (["--epochs", "0"], 2, "--epochs: must be at least 1"),
        (["--learning-rate", "0"], 2, "--learning-rate: must be above 0"),
        (["--learning-rate", "1e30", "--force"], 1, "became non-finite"),
        (["--run", "tinny"], 2, "did you mean tiny?"),
    ],
)
def test_bad_input_leaves_the_teacher_as_it_was(
    kd: Kd, tiny: Path, arguments: list[str], code: int, words: str
) -> None:
    before = (tiny / "teacher/meta.json").read_bytes()
    outcome = kd("train-teacher", *arguments)
    assert outcome.code == code
    assert words in outcome.err
    assert (tiny / "teacher/meta.json").read_bytes() == before


def test_no_data(kd: Kd) -> None:
    outcome = kd("train-teacher")
    assert outcome.code == 1
    assert "kd gen-data" in outcome.err


def test_a_card_asked_for_that_is_not_there(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    outcome = kd("train-teacher", "--device", "cuda", "--force")
    assert outcome.code == 1
    assert "no GPU" in outcome.err


def test_what_was_used_is_recorded_and_only_what_was_asked_for_is_compared(kd: Kd, tiny: Path) -> None:
    teacher = opened(tiny).teacher
    assert teacher.meta.used["precision"] == "float32"
    assert teacher.record.settings.precision == "auto"
    assert kd("train-teacher", "--precision", "bfloat16", "--device", "cpu", "--force").code == 0
    again = opened(tiny).teacher
    assert again.meta.used == {"device": "cpu", "precision": "bfloat16", "threads": "1", "folds": "1"}
    assert again.record.settings.precision == "bfloat16"


def test_logits_are_stored_without_dropout_in_full_precision(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "digits", "--draws", "1")
    kd("train-teacher", "--model", "cnn:2,8", "--epochs", "2", "--precision", "bfloat16")
    experiment = opened(outputs / "digits")
    data, teacher = experiment.data, experiment.teacher
    model, (stored,) = teacher.load_model(), teacher.logits["test"]
    torch.testing.assert_close(model.predict(data.splits["test"].x)[0], stored)
    assert isinstance(model, StackedCNN)
    model.head.masks = [generator("test", 0)]
    noisy = model.train()(data.splits["test"].x.unsqueeze(0))[0].T
    assert not torch.allclose(noisy, stored, atol=0.1)


def test_the_schedule_is_that_of_the_flag(kd: Kd, tiny: Path) -> None:
    constant = opened(tiny).teacher
    before = constant.load_model().state_dict()
    assert constant.record.settings.schedule == "constant"
    assert kd("train-teacher", "--schedule", "linear", "--force").code == 0
    linear = opened(tiny).teacher
    assert linear.record.settings.schedule == "linear"
    after = linear.load_model().state_dict()
    assert any(not torch.equal(after[name], value) for name, value in before.items())


def test_a_usual_value_over_a_recipe_that_has_another_is_renewed_as_such(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, "constant", "linear")
    kd("train-teacher", "--schedule", "constant", "--force")
    kd("gen-data", "--run", "tiny", "--seed", "5", "--force")
    assert "`kd train-teacher --schedule constant --force`" in kd("distill").err


def test_asking_for_what_was_used_anyway_is_asking_for_the_same(kd: Kd, tiny: Path) -> None:
    outcome = kd("train-teacher", "--device", "cpu", "--precision", "float32")
    assert outcome.code == 0
    assert "up to date" in outcome.out
    assert kd("train-teacher", "--precision", "bfloat16").code == 1


def test_the_hint_to_start_beside_names_the_dataset(kd: Kd) -> None:
    kd("gen-data", "moons", "--n-samples", "60", "--n-test", "40", "--draws", "1")
    kd("train-teacher", "--model", "mlp:3", "--epochs", "1")
    assert "`kd gen-data moons --run NAME`" in kd("train-teacher", "--model", "mlp:4").err


def test_a_teacher_whose_training_was_cut_off_goes_on_and_ends_the_same(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("train-teacher", "--batch-size", "50", "--epochs", "9", "--force")
    assert kd(*arguments).code == 0
    before = (tiny / "teacher/model.safetensors").read_bytes()
    kd("train-teacher", "--force")
    monkeypatch.setattr(resuming, "SECONDS", 0.0)
    monkeypatch.setattr(resuming, "SHARE", 1e9)
    saved = resuming.KeptTraining.save
    count = 0

    def interrupted(self: resuming.KeptTraining, state: dict[str, torch.Tensor]) -> None:
        nonlocal count
        saved(self, state)
        count += 1
        if count == 14:
            raise KeyboardInterrupt

    monkeypatch.setattr(resuming.KeptTraining, "save", interrupted)
    outcome = kd(*arguments)
    assert outcome.code == 130
    assert (tiny / ".resume/teacher.0").is_file()
    steps: list[int] = []
    monkeypatch.setattr(resuming.KeptTraining, "save", lambda self, state: steps.append(int(state["at"][2])))
    assert kd(*arguments).code == 0
    assert steps[0] == 15  # it went on in the middle of the fourth epoch
    assert (tiny / "teacher/model.safetensors").read_bytes() == before
    assert not (tiny / ".resume/teacher.0").exists()


def test_nothing_is_kept_of_a_training_that_would_end_as_badly_again(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    saved = resuming.KeptTraining.save

    def save(self: resuming.KeptTraining, state: dict[str, torch.Tensor]) -> None:
        saved(self, state)
        kept.append((tiny / ".resume/teacher.0").is_file())

    monkeypatch.setattr(resuming, "SECONDS", 0.0)
    monkeypatch.setattr(resuming, "SHARE", 1e9)
    monkeypatch.setattr(resuming.KeptTraining, "save", save)
    before = (tiny / "teacher/meta.json").read_bytes()
    outcome = kd("train-teacher", "--learning-rate", "1e30", "--batch-size", "50", "--force")
    assert outcome.code == 1
    assert "became non-finite" in outcome.err
    assert kept
    assert all(kept)
    assert not (tiny / ".resume").exists()
    assert (tiny / "teacher/meta.json").read_bytes() == before


def test_a_state_of_another_training_is_not_taken(kd: Kd, tiny: Path) -> None:
    run = Store(tiny.parent).existing_run(None)
    run.resume_point("teacher.0").save({"records": []}, {"at": torch.zeros(3)})
    assert kd("train-teacher", "--epochs", "3", "--force").code == 0
    assert not (tiny / ".resume/teacher.0").exists()


def test_a_teacher_that_does_not_fit_is_refused_at_once(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 21 * 10**9)
    before = (tiny / "teacher/meta.json").read_bytes()
    outcome = kd("train-teacher", "--model", "mlp:1000000,1000000", "--precision", "float32", "--force")
    assert outcome.code == 1
    assert "mlp:1000000,1000000 needs about 26 TB of memory, but only 21 GB are free" in outcome.err
    assert "name a smaller --model" in outcome.err
    monkeypatch.setattr(room, "free_disk", lambda folder: 1000)
    assert "on disk" in kd("train-teacher", "--epochs", "2", "--force").err
    assert (tiny / "teacher/meta.json").read_bytes() == before
