import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from customers import customers
from harness import Kd, opened, small_mnist, write_files

from kdcli.metrics import measure
from kdcli.runs import room
from kdcli.runs.experiment import Experiment
from kdcli.scored import Scored
from kdcli.store import Store


def test_defaults_are_those_of_the_experiment(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data").code == 0
    pool = Experiment.open(Store(outputs).existing_run(None)).data.pool
    assert {name: tuple(index.shape) for name, index in pool.index.items()} == {
        "train": (10, 1600),
        "val": (10, 400),
        "test": (10, 20_000),
    }
    assert pool.posterior is not None
    rows = pool.index["test"].flatten()
    optimum, y = Scored(pool.posterior[rows].log().unsqueeze(0), pool.y[rows]), pool.y[rows]
    assert y.double().mean() == 0.5
    scores = measure(optimum, ["accuracy", "nll"])
    assert scores["accuracy"] == [pytest.approx(0.97725, abs=0.0013)]
    assert scores["nll"] == [pytest.approx(0.06043, abs=0.002)]


@pytest.mark.parametrize(
    ("dataset", "how"),
    [
        ("gaussians", "each sampled anew"),
        ("moons", "each sampled anew"),
        ("digits", "each a split of the same examples"),
        ("mnist", "which share the test set"),
    ],
)
def test_several_draws_are_told_with_how_they_come_about(kd: Kd, dataset: str, how: str) -> None:
    small: Sequence[str] = ("--n-samples", "60", "--n-test", "40")
    if dataset == "digits":
        small = ("--n-val", "400", "--n-test", "100")
    elif dataset == "mnist":
        small = ("--source", str(write_files(Path("files"), small_mnist())), "--n-val", "50")
    outcome = kd("gen-data", dataset, *small, "--draws", "3")
    assert outcome.code == 0
    assert re.search(rf" test examples in each of 3 draws, {how}\n", outcome.out)
    one = kd("gen-data", dataset, *small, "--draws", "1", "--run", "one")
    assert re.search(r" test examples\n", one.out)
    made = json.loads(kd("gen-data", dataset, *small, "--draws", "3", "--json").out)
    assert (made["draws"], made["up_to_date"]) == (3, True)


def test_another_number_of_draws_is_other_data(kd: Kd, two_draws: Path) -> None:
    refused = kd("gen-data", "--run", "tiny", "--draws", "3")
    assert refused.code == 1
    assert "draws = 2, not 3" in refused.err
    first = opened(two_draws).data.splits
    assert kd("gen-data", "--run", "tiny", "--draws", "3", "--force").code == 0
    data = opened(two_draws).data
    assert (data.draws, opened(two_draws).recipe.data.draws) == (3, 3)
    for name, split in first.items():  # the draws that were there are the same
        assert torch.equal(data.pool.split(name, 0).x, split.x)
    assert "`kd train-teacher --force`" in kd("distill").err


@pytest.mark.parametrize("draws", ["0", "-1", "1001", "2.5"])
def test_a_number_of_draws_that_there_cannot_be(kd: Kd, outputs: Path, draws: str) -> None:
    for command in ("gen-data", "run"):
        outcome = kd(command, "--draws", draws)
        assert outcome.code == 2
        assert "--draws" in outcome.err
    assert not outputs.exists()


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
    assert "of memory, but only 21 GB are free" in outcome.err
    assert re.search(rf"lower {option} to \d+", outcome.err)
    assert not outputs.exists()


@pytest.mark.parametrize(
    ("draws", "needs", "beside"),
    [
        ("1", "100,000 samples need about 11 MB", ""),
        ("3", "3 draws of 100,000 samples need about 32 MB", ", or --draws"),
    ],
)
def test_points_that_fit_as_the_hint_says(
    kd: Kd, monkeypatch: pytest.MonkeyPatch, draws: str, needs: str, beside: str
) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 10**6)
    small = ("gen-data", "--draws", draws, "--n-test", "1000", "--n-samples")
    outcome = kd(*small, "100000")
    assert f"{needs} of memory, but only 1.0 MB are free" in outcome.err
    (fitting,) = re.findall(rf"lower --n-samples to (\d+){beside}\n", outcome.err)
    assert kd(*small, fitting).code == 0
    assert kd(*small, str(2 * int(fitting)), "--run", "another").code == 1


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
    assert "on disk, but only 1.0 kB are free" in outcome.err
    assert not outputs.exists()


@pytest.mark.parametrize(
    ("dataset", "drawing", "shape", "names", "n_classes", "bayes"),
    [
        ("gaussians", "sampled", (2,), ("x₁", "x₂"), 2, True),
        ("moons", "sampled", (2,), ("x₁", "x₂"), 2, True),
        ("digits", "split", (8, 8), (), 10, False),
    ],
)
def test_what_the_data_are_is_stored_with_them(
    kd: Kd,
    outputs: Path,
    dataset: str,
    drawing: str,
    shape: tuple[int, ...],
    names: tuple[str, ...],
    n_classes: int,
    bayes: bool,
) -> None:
    assert kd("gen-data", dataset, "--draws", "2", *(["--n-test", "50"] if bayes else [])).code == 0
    data = Experiment.open(Store(outputs).existing_run(None)).data
    description = data.description
    assert (description.name, description.shape, description.feature_names) == (dataset, shape, names)
    assert description.classes == tuple(map(str, range(n_classes)))
    assert (description.draws, description.drawing) == (2, drawing)
    assert description.sizes == {name: len(split.y) for name, split in data.splits.items()}
    assert (description.bayes is not None, description.own_files) == (bayes, False)
    assert all((split.posterior is not None) is bayes for split in data.splits.values())


LABEL = ("--label", "left")


def test_a_dry_run_tells_what_the_columns_are_and_writes_nothing(
    kd: Kd, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    made = kd("gen-data", customers(), *LABEL, "--dry-run")
    assert made.code == 0
    assert made.err == ""
    assert not outputs.exists()
    lines = made.out.splitlines()
    assert lines[0].rstrip() == "4 input columns, encoded as 7 features (→)"
    assert lines[-2:] == [
        "customers, 2 classes; 128 training, 32 validation and 40 test examples in each of 10 draws, each a "
        "split of the same examples",
        "nothing was written",
    ]
    told = {
        cells[1].strip(): [cell.strip() for cell in cells[2:6]]
        for line in lines
        if len(cells := line.split("│")) > 5
    }
    assert told["plan"][0] == "category → 3"
    assert (told["active"][0], told["active"][3]) == ("yes/no", "--categorical")
    assert told["spent"][:2] == ["number → 2", "2.5 %"]
    assert told["customerID"][0] == "identifier"
    assert "• flags take the name of the column: --categorical customerID" in lines


def test_a_dry_run_makes_what_the_run_then_is(kd: Kd) -> None:
    asked = ("gen-data", customers(), *LABEL, "--drop", "plan", "--categorical", "active", "--draws", "3")
    looked = json.loads(kd(*asked, "--dry-run", "--json").out)
    made = json.loads(kd(*asked, "--json").out)
    assert looked == json.loads(Path(made["path"], "description.json").read_text())
    assert looked["feature_names"] == ["age", "active = no", "active = yes", "spent", "spent missing"]
    assert {column["name"]: column["kind"] for column in looked["decisions"]} == {
        "customerID": "identifier",
        "age": "number",
        "plan": "dropped",
        "active": "category",
        "spent": "number",
    }
    assert made["feature_names"] == looked["feature_names"]
    assert (made["draws"], made["n_train"], made["n_test"]) == (3, 128, 40)


def test_only_data_of_ones_own_can_be_looked_at(kd: Kd, outputs: Path) -> None:
    refused = kd("gen-data", "moons", "--dry-run")
    assert refused.code == 2
    assert "--dry-run is for data of your own" in refused.err
    assert "kd gen-data FILE --label COLUMN --dry-run" in refused.err
    assert not outputs.exists()


def test_the_columns_are_told_once(kd: Kd) -> None:
    asked = ("gen-data", customers(), *LABEL)
    assert "input columns" in kd(*asked).out
    again = kd(*asked)
    assert "up to date" in again.out
    assert "input columns" not in again.out


NEAREST = "customers.csv has no column 'agee'; did you mean age?"
WRONG = {
    ("customers.csv",): (2, "needs a label column", "--label COLUMN"),
    ("customers.csv", "--label", "agee"): (1, f"--label: {NEAREST}", "a number from 1 to 6"),
    ("customers.csv", "--label", "7"): (1, "has no column '7'", "columns: customerID, age, plan, active"),
    ("customers.csv", *LABEL, "--drop", "agee"): (1, f"--drop: {NEAREST}", "columns:"),
    ("customers.csv", "--label", "customerID"): (1, "has 200 different values", "kd is for classification"),
    ("absent.csv", *LABEL): (1, "there is no file or folder absent.csv", "check the path"),
    ("absent/",): (1, "there is no file or folder absent/", "check the path"),
    ("customers.xlsx", *LABEL): (1, "customers.xlsx is not of a kind that kd reads", ".csv, .tsv"),
    ("empty",): (1, "has no folders of images", "a folder for each class"),
    ("empty", *LABEL): (2, "--label does not apply here", "--image-size"),
    ("moons", *LABEL): (2, "--label does not apply here", "--noise"),
    ("customers",): (2, "'customers'", "gaussians"),
}


@pytest.mark.parametrize("asked", WRONG)
@pytest.mark.parametrize("command", ["gen-data", "run"])
def test_what_goes_wrong_with_ones_own_data_is_said_as_a_person_needs_it(
    kd: Kd, outputs: Path, command: str, asked: tuple[str, ...]
) -> None:
    customers()
    Path("customers.xlsx").touch()
    Path("empty").mkdir()
    code, problem, remedy = WRONG[asked]
    refused = kd(command, *asked)
    assert refused.code == code
    assert problem in refused.err
    assert remedy in refused.err
    assert "Traceback" not in refused.err
    assert not list(outputs.glob("*/*")), "nothing may be left of a run that could not be made"
