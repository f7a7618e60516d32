import re
import shutil
from pathlib import Path

import pytest
from harness import Kd

from kdcli.runs import room
from kdcli.runs.experiment import Experiment
from kdcli.store import Store


def test_defaults_are_those_of_the_experiment(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data").code == 0
    data = Experiment.open(Store(outputs).existing_run(None)).data
    assert {name: len(split.y) for name, split in data.splits.items()} == {
        "train": 1600,
        "val": 400,
        "test": 20_000,
    }
    assert data.splits["test"].posterior is not None
    scores = data.bayes_scores()
    assert scores is not None
    assert scores["accuracy"] == pytest.approx(0.97725, abs=0.004)
    assert scores["nll"] == pytest.approx(0.06043, abs=0.006)


def test_up_to_date_then_refused_then_forced(kd: Kd, outputs: Path) -> None:
    small = ("gen-data", "--n-samples", "100", "--n-test", "50")
    assert kd(*small).code == 0
    before = (outputs / "gaussians/data/meta.json").read_bytes()
    again = kd(*small)
    assert again.code == 0
    assert "up to date" in again.out
    refused = kd("gen-data", "--n-samples", "80", "--n-test", "50")
    assert refused.code == 1
    assert "n_samples = 100, not 80" in refused.err
    assert "--force" in refused.err
    assert (outputs / "gaussians/data/meta.json").read_bytes() == before
    assert kd("gen-data", "--n-samples", "80", "--n-test", "50", "--force").code == 0
    assert "n_samples = 80" in (outputs / "gaussians/recipe.toml").read_text()


def test_a_recipe_is_not_replaced_silently(kd: Kd, tiny: Path) -> None:
    other = Path("tiny.toml")
    other.write_text((tiny / "recipe.toml").read_text().replace('"mlp:4"', '"mlp:3"'))
    refused = kd("gen-data", "--recipe", "tiny.toml")
    assert refused.code == 1
    assert "another recipe" in refused.err
    assert "mlp:4" in (tiny / "recipe.toml").read_text()
    assert kd("gen-data", "--recipe", "tiny.toml", "--force").code == 0
    assert "mlp:3" in (tiny / "recipe.toml").read_text()


def test_new_data_keep_the_rest_of_the_recipe_of_the_run(kd: Kd, tiny: Path) -> None:
    before = (tiny / "recipe.toml").read_text(encoding="utf-8")
    assert kd("gen-data", "--run", "tiny", "--seed", "5", "--force").code == 0
    after = (tiny / "recipe.toml").read_text(encoding="utf-8")
    assert after == before.replace("seed = 0", "seed = 5", 1)


def test_lost_data_are_made_again_by_the_command_that_the_error_names(kd: Kd, tiny: Path) -> None:
    lost = tiny / "data/tensors.safetensors"
    content = lost.read_bytes()
    lost.unlink()
    outcome = kd("distill", "--target", "labels", "--epochs", "2", "--name", "x")
    assert outcome.code == 1
    assert "`kd gen-data --run tiny`" in outcome.err
    assert kd("gen-data", "--run", "tiny").code == 0
    assert lost.read_bytes() == content
    shutil.rmtree(tiny / "data")
    assert "`kd gen-data --run tiny`" in kd("train-teacher").err
    assert kd("gen-data", "--run", "tiny").code == 0
    assert "up to date" in kd("train-teacher").out


def test_a_run_of_another_name_or_folder_is_named_in_every_hint(kd: Kd, tiny: Path) -> None:
    kd("gen-data", "--n-samples", "40", "--n-test", "20", "--outputs", "other", "--run", "a")
    kd("gen-data", "--n-samples", "40", "--n-test", "20", "--outputs", "other", "--run", "b")
    outcome = kd("distill", "--target", "soft", "--run", "a", "--outputs", "other")
    assert "`kd train-teacher --run a --outputs other`" in outcome.err
    assert "`kd gen-data --outputs empty`" in kd("plot", "--outputs", "empty").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["moonz"], "no dataset 'moonz'; did you mean moons?"),
        (["moons", "--noise", "0"], "--noise: must be at least 0.01"),
        (["moons", "--noise", "-1"], "--noise: must be at least 0.01"),
        (["moons", "--n-samples", "5", "--val-fraction", "0.1"], "without one of the 2 classes"),
        (["moons", "--separation", "2"], "--separation does not apply here"),
        (["gausians"], "did you mean gaussians?"),
        (["--n-samples", "-3"], "--n-samples: must be at least 4"),
        (["--n-samples", "x"], "--n-samples"),
        (["--val-fraction", "0"], "--val-fraction: must be above 0 and below 1"),
        (["--val-fraction", "1"], "--val-fraction"),
        (["--separation", "nan"], "--separation: must be a finite number"),
        (["--n-samples", "10", "--val-fraction", "0.05"], "without one of the 2 classes"),
        (["--run", "../x"], "cannot name a run"),
        (["--nsamples", "3"], "--nsamples"),
    ],
)
def test_bad_input(kd: Kd, outputs: Path, arguments: list[str], words: str) -> None:
    outcome = kd("gen-data", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert not outputs.exists()


@pytest.mark.parametrize("digits", [11, 13, 19, 20, 300])
@pytest.mark.parametrize(
    ("dataset", "option"), [("gaussians", "--n-samples"), ("gaussians", "--n-test"), ("moons", "--n-samples")]
)
def test_more_points_than_memory_holds_are_refused_at_once(
    kd: Kd, outputs: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, option: str, digits: int
) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 21 * 10**9)
    outcome = kd("gen-data", dataset, option, "1" + "0" * (digits - 1))
    assert outcome.code == 1
    assert "of memory, and 21 GB are free" in outcome.err
    assert re.search(rf"lower {option} to \d+", outcome.err)
    assert not outputs.exists()


def test_points_that_fit_as_the_hint_says(kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 10**6)
    small = ("gen-data", "--n-test", "1000", "--n-samples")
    outcome = kd(*small, "100000")
    assert "100,000 samples need about 11 MB of memory, and 1.0 MB are free" in outcome.err
    assert kd(*small, re.findall(r"to (\d+)", outcome.err)[0]).code == 0


def test_data_that_are_there_need_no_memory_of_their_own(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 0)
    assert "up to date" in kd("gen-data", "--run", "tiny").out


def test_a_full_disk_is_found_before_anything_is_written(
    kd: Kd, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_disk", lambda folder: 1000)
    outcome = kd("gen-data")
    assert outcome.code == 1
    assert "on disk, and 1.0 kB are free" in outcome.err
    assert not outputs.exists()


@pytest.mark.parametrize(
    ("dataset", "shape", "names", "n_classes", "bayes"),
    [
        ("gaussians", (2,), ("x₁", "x₂"), 2, True),
        ("moons", (2,), ("x₁", "x₂"), 2, True),
        ("digits", (8, 8), (), 10, False),
    ],
)
def test_what_the_data_are_is_stored_with_them(
    kd: Kd,
    outputs: Path,
    dataset: str,
    shape: tuple[int, ...],
    names: tuple[str, ...],
    n_classes: int,
    bayes: bool,
) -> None:
    assert kd("gen-data", dataset, *(["--n-test", "50"] if bayes else [])).code == 0
    data = Experiment.open(Store(outputs).existing_run(None)).data
    description = data.description
    assert (description.name, description.shape, description.feature_names) == (dataset, shape, names)
    assert description.classes == tuple(map(str, range(n_classes)))
    assert description.sizes == {name: len(split.y) for name, split in data.splits.items()}
    assert (description.bayes is not None, description.own_files) == (bayes, False)
    assert all((split.posterior is not None) is bayes for split in data.splits.values())
