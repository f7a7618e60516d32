import json
from pathlib import Path

import pytest
from harness import Kd


def test_what_a_run_holds(kd: Kd, tiny: Path) -> None:
    document = json.loads(kd("show", "--json").out)
    assert (document["run"], document["current"]) == ("tiny", True)
    data, teacher, labels, soft = document["artefacts"]
    assert [item["parents"] for item in (data, teacher, labels, soft)] == [
        [],
        ["data"],
        ["data"],
        ["data", "teacher"],
    ]
    for item in document["artefacts"]:
        meta = json.loads(Path(item["path"], "meta.json").read_text())
        assert (item["config"], item["created"]) == (meta["config"], meta["created"])
        assert item["size"] == sum(file.stat().st_size for file in Path(item["path"]).iterdir())
    assert [Path(file["path"]).name for file in document["files"]][:2] == ["compare.json", "recipe.toml"]
    assert all(Path(file["path"]).stat().st_size == file["size"] for file in document["files"])
    assert document["size"] == sum(path.stat().st_size for path in tiny.rglob("*") if path.is_file())


def test_in_words(kd: Kd, tiny: Path) -> None:
    out = kd("show").out
    for words in (
        "run tiny, the current run",
        "gaussians, 160 training, 40 validation, 400 test, seed 0, separation 4",
        "mlp:8, 20 epochs, full batches, learning rate 0.02, seed 0",
        "soft, T = 4, mlp:4, 2 seeds, 20 epochs",
        "from data and teacher",
        "figures/learning-curves.png",
        "compare.json",
    ):
        assert words in out
    assert kd("show", "--quiet").out == ""


def test_the_order_is_that_of_the_targets_and_temperatures(kd: Kd, tiny: Path) -> None:
    kd(
        "distill",
        "--model",
        "mlp:4,mlp:2",
        "--target",
        "bayes,soft",
        "--temperature",
        "10,2",
        "--epochs",
        "1",
    )
    names = [item["name"] for item in json.loads(kd("show", "--json").out)["artefacts"]]
    order = ["bayes-mlp4", "soft-T2-mlp4", "soft-T4-mlp4", "soft-T10-mlp4"]
    others = ["bayes-mlp2", "soft-T2-mlp2", "soft-T10-mlp2"]
    assert names[2:] == [f"students/{name}" for name in ("labels-mlp4", *order, *others)]


def test_what_is_not_fresh_is_told_with_what_mends_it(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    (tiny / "students/labels-mlp4/model.safetensors").write_bytes(b"")
    outcome = kd("show")
    assert outcome.code == 0
    assert "`kd distill --target soft --temperature 4 --force`" in outcome.out
    assert f"remove {tiny}/students/labels-mlp4 and make it again with `kd distill --target labels`" in (
        outcome.out
    )


def test_a_narrow_terminal(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = kd("show").out
    assert max(map(len, (line for line in out.splitlines() if "│" in line))) <= 60
    assert "damaged" not in out


def test_no_run(kd: Kd, tiny: Path) -> None:
    outcome = kd("show", "--run", "tin")
    assert outcome.code == 2
    assert "did you mean tiny?" in outcome.err
