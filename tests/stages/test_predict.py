import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from customers import customers
from harness import Kd, opened
from PIL import Image

from kdcli.data.tables import lines


@pytest.fixture
def own(kd: Kd, outputs: Path) -> Path:
    """A run on customers in two draws, with students of two seeds."""
    customers()
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "2").code == 0
    models = ("--model", "mlp:4,tree:max_depth=3", "--target", "labels", "--seeds", "2")
    assert kd("distill", *models, "--epochs", "30").code == 0
    return outputs / "customers"


def predicted(name: str) -> pl.DataFrame:
    if name.endswith(".parquet"):
        return pl.read_parquet(name)
    return pl.read_ndjson(name) if name.endswith(".jsonl") else pl.read_csv(name)


def in_the_run(run: Path, folder: str, seed: int, draw: int = 0) -> np.ndarray:
    """The probabilities that a student is stored to have on its test split."""
    (trained,) = [t for t in opened(run).students() if t.folder == folder]
    return trained.load_tested()[draw, seed].double().softmax(1).numpy()


@pytest.mark.parametrize("out", ["p.csv", "p.parquet", "p.jsonl"])
@pytest.mark.parametrize("folder", ["labels-mlp4", "labels-tree-depth3"])
@pytest.mark.parametrize("draw", [0, 1])
def test_rows_of_a_file_are_predicted_as_the_test_split_was(
    kd: Kd, own: Path, out: str, folder: str, draw: int
) -> None:
    given = ("--seed", "1", "--draw", str(draw), "--out", out)
    assert kd("predict", folder, "customers.csv", *given).code == 0
    rows = opened(own).data.pool.rows("test", draw).numpy()
    found = predicted(out)
    assert found.columns == ["customerID", "prediction", "p_no", "p_yes"]
    assert found["customerID"].to_list() == pl.read_csv("customers.csv")["customerID"].to_list()
    p = found.select("p_no", "p_yes").to_numpy()[rows]
    np.testing.assert_allclose(p, in_the_run(own, folder, 1, draw), rtol=1e-5, atol=1e-7)
    best = np.where(found["p_yes"].to_numpy() > found["p_no"].to_numpy(), "yes", "no")
    assert found["prediction"].to_list() == best.tolist()


def test_columns_go_by_name_and_those_that_are_not_learned_may_be_missing(kd: Kd, own: Path) -> None:
    frame = pl.read_csv("customers.csv")
    assert kd("predict", "labels-mlp4", "customers.csv", "--out", "all.csv").code == 0
    other = frame.select("spent", "plan", "active", "age").with_columns(more=pl.lit(1))
    other.write_csv("other.csv")
    assert kd("predict", "labels-mlp4", "other.csv", "--out", "p.csv", "--keep", "plan,more").code == 0
    found = predicted("p.csv")
    assert found.columns == ["plan", "more", "prediction", "p_no", "p_yes"]
    assert found["p_yes"].equals(predicted("all.csv")["p_yes"])


def test_values_that_no_training_row_had_are_told(kd: Kd, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 200)  # in several pieces
    frame = pl.read_csv("customers.csv")
    odd = pl.Series(["gone" if k % 50 == 3 else plan for k, plan in enumerate(frame["plan"])])
    frame.with_columns(plan=odd).write_csv("odd.csv")
    outcome = kd("predict", "labels-mlp4", "odd.csv", "--out", "p.csv")
    assert "! 4 values of column 'plan' that no training row had, such as 'gone'" in outcome.out
    err = kd("predict", "labels-mlp4", "odd.csv").err
    assert err.splitlines()[-1] == "! 4 values of column 'plan' that no training row had, such as 'gone'"
    told = json.loads(kd("predict", "labels-mlp4", "odd.csv", "--out", "p.csv", "--json").out)
    assert told["unseen"] == {"plan": 4}
    told = json.loads(kd("predict", "labels-mlp4", "customers.csv", "--out", "p.csv", "--json").out)
    assert told["unseen"] == {}


def test_pieces_are_predicted_as_the_whole(kd: Kd, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kd("predict", "labels-mlp4", "customers.csv", "--out", "whole.csv").code == 0
    monkeypatch.setattr(lines, "BLOCK", 200)
    assert kd("predict", "labels-mlp4", "customers.csv", "--out", "pieces.csv").code == 0
    whole, pieces = (predicted(name) for name in ("whole.csv", "pieces.csv"))
    assert whole.drop("p_no", "p_yes").equals(pieces.drop("p_no", "p_yes"))
    np.testing.assert_allclose(pieces["p_yes"].to_numpy(), whole["p_yes"].to_numpy(), rtol=1e-5)


def test_stdin_and_stdout(kd: Kd, own: Path) -> None:
    assert kd("predict", "labels-mlp4", "customers.csv", "--out", "p.csv").code == 0
    program = [sys.executable, "-m", "kdcli", "predict", "labels-mlp4", "-"]
    rows = Path("customers.csv").read_bytes()
    done = subprocess.run(
        program, input=rows, capture_output=True, check=True, env={**os.environ, "COLUMNS": "80"}
    )
    assert done.stdout == Path("p.csv").read_bytes()
    assert b"200 rows predicted by labels-mlp4, seed" in done.stderr


def test_stdout_may_be_any_stream(kd: Kd, own: Path) -> None:
    outcome = kd("predict", "labels-mlp4", "customers.csv")  # one without a descriptor
    assert outcome.code == 0
    assert kd("predict", "labels-mlp4", "customers.csv", "--out", "p.csv").code == 0
    assert outcome.out == Path("p.csv").read_text()


def test_the_best_seed_is_that_of_the_lowest_validation_nll(kd: Kd, own: Path) -> None:
    data = opened(own).data
    (trained,) = [t for t in opened(own).students() if t.folder == "labels-mlp4"]
    stack, nll = trained.load_model(), []
    x, y, _ = data.pool.split("val", 1)
    for seed in range(2):
        log_p = trained.member(stack, seed, 1).predict(x)[0].double().log_softmax(1)
        nll.append(float(-log_p[range(len(y)), y].mean()))
    told = json.loads(
        kd("predict", "labels-mlp4", "customers.csv", "--out", "p.csv", "--draw", "1", "--json").out
    )
    assert told["seeds"] == [int(np.argmin(nll))]
    assert told["rows"] == 200


def test_an_ensemble_is_the_mean_of_all_seeds(kd: Kd, own: Path) -> None:
    means = []
    for seed in ("0", "1"):
        assert kd("predict", "labels-mlp4", "customers.csv", "--seed", seed, "--out", f"{seed}.csv").code == 0
        means.append(predicted(f"{seed}.csv")["p_yes"].to_numpy())
    assert kd("predict", "labels-mlp4", "customers.csv", "--ensemble", "--out", "p.csv").code == 0
    np.testing.assert_allclose(predicted("p.csv")["p_yes"].to_numpy(), np.mean(means, 0), rtol=1e-12)


def test_labels_score_the_predictions(kd: Kd, own: Path) -> None:
    given = ("--score", "left", "--out", "p.csv", "--json")
    told = json.loads(kd("predict", "labels-mlp4", "customers.csv", *given).out)
    frame, found = pl.read_csv("customers.csv"), predicted("p.csv")
    accuracy = (frame["left"] == found["prediction"]).mean()
    yes = (frame["left"] == "yes").to_numpy()
    p = np.where(yes, found["p_yes"].to_numpy(), found["p_no"].to_numpy())
    assert told["metrics"]["accuracy"] == pytest.approx(accuracy)
    assert told["metrics"]["nll"] == pytest.approx(-np.log(p).mean())


def test_points_go_by_the_names_of_their_features(kd: Kd, tiny: Path) -> None:
    x, _, _ = opened(tiny).data.pool.split("test")
    pl.DataFrame({"x₂": x[:, 1].numpy(), "x₁": x[:, 0].numpy()}).write_parquet("points.parquet")
    assert kd("predict", "soft-T4-mlp4", "points.parquet", "--seed", "0", "--out", "p.parquet").code == 0
    found = predicted("p.parquet").select("p_0", "p_1").to_numpy()
    np.testing.assert_allclose(found, in_the_run(tiny, "soft-T4-mlp4", 0), rtol=1e-5, atol=1e-7)


def test_images_are_those_of_a_folder(kd: Kd, outputs: Path) -> None:
    for name in ("a", "b"):
        Path(f"photos/{name}").mkdir(parents=True)
        for k in range(20):
            pixels = np.random.default_rng(k).integers(0, 200 + 50 * (name == "b"), (6, 6), dtype=np.uint8)
            Image.fromarray(pixels).save(f"photos/{name}/{k}.png")
    assert kd("gen-data", "photos", "--draws", "1").code == 0
    assert kd("distill", "--model", "mlp:4", "--target", "labels", "--seeds", "1", "--epochs", "3").code == 0
    assert kd("predict", "labels-mlp4", "photos/b", "--out", "p.csv").code == 0
    found = predicted("p.csv")
    assert found["file"].to_list() == sorted(f"{k}.png" for k in range(20))
    assert found.columns == ["file", "prediction", "p_a", "p_b"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["labels-mlp", "customers.csv"], "did you mean labels-mlp4?"),
        (["labels-mlp4", "nothing.csv"], "nothing.csv"),
        (["labels-mlp4", "customers.csv", "--seed", "7"], "labels-mlp4 has no seed 7"),
        (["labels-mlp4", "customers.csv", "--draw", "2"], "there is no draw 2"),
        (["labels-mlp4", "customers.csv", "--out", "p.txt"], "p.txt ends in none of"),
        (["labels-mlp4", "customers.csv", "--json"], "cannot both go to stdout"),
        (["labels-mlp4", "short.csv"], "no column 'age' in"),
        (["labels-mlp4", "odd.csv"], "odd.csv, line 2: column 'age' has 'old'"),
        (["labels-mlp4", "customers.csv", "--score", "plan"], "is not a class"),
        (["labels-mlp4", "customers.csv", "--score", "lft"], "did you mean left?"),
        (["labels-mlp4", "customers.csv", "--keep", "nothing"], "has no column 'nothing'"),
        (["labels-mlp4", "."], "is a folder, but the run's data are a table"),
    ],
)
def test_bad_input_writes_nothing(kd: Kd, own: Path, arguments: list[str], words: str) -> None:
    frame = pl.read_csv("customers.csv")
    frame.drop("age").write_csv("short.csv")
    frame.with_columns(age=pl.lit("old")).write_csv("odd.csv")
    before = set(Path().iterdir())
    out = [] if "--out" in arguments or "--json" in arguments else ["--out", "p.csv"]
    outcome = kd("predict", *arguments, *out)
    assert outcome.code in (1, 2)
    assert words in outcome.err + outcome.out
    assert set(Path().iterdir()) == before
