import json
import shutil
from pathlib import Path
from typing import Any

from harness import Kd

from kdcli.store.versions import FORMAT


def listed(kd: Kd) -> dict[str, dict[str, Any]]:
    return {run["name"]: run for run in json.loads(kd("runs", "--json").out)["runs"]}


def test_every_run_and_the_current_one(kd: Kd, tiny: Path) -> None:
    kd("gen-data", "moons", "--n-samples", "40", "--n-test", "20")
    document = json.loads(kd("runs", "--json").out)
    assert (document["path"], document["current"]) == (str(tiny.parent), "moons")
    moons, first = document["runs"]
    assert (moons["dataset"], moons["teacher"], moons["student_sets"]) == ("moons", None, 0)
    assert (first["dataset"], first["teacher"], first["student_sets"]) == ("gaussians", "mlp:8", 2)
    assert first["size"] == sum(path.stat().st_size for path in tiny.rglob("*") if path.is_file())
    assert (moons["current"], first["current"]) == (True, False)
    assert moons["written"] >= first["written"]
    out = kd("runs").out
    assert "│ * moons " in out
    assert "│   tiny " in out
    assert kd("runs", "--quiet").out == ""


def test_nothing_there(kd: Kd, outputs: Path) -> None:
    for _ in ("missing", "empty"):
        outcome = kd("runs")
        assert outcome.code == 0
        assert "there are no runs in outputs; `kd run gaussians` makes one" in outcome.out
        assert json.loads(kd("runs", "--json").out)["runs"] == []
        outputs.mkdir(exist_ok=True)
    assert "`kd run gaussians --outputs else` makes one" in kd("runs", "--outputs", "else").out


def test_a_broken_run_hides_no_other(kd: Kd, tiny: Path) -> None:
    for name in ("recipe", "meta", "gone", "older"):
        shutil.copytree(tiny, tiny.parent / name)
    (tiny.parent / "recipe/recipe.toml").write_text("[data")
    (tiny.parent / "meta/teacher/meta.json").write_text(f'{{"format": {FORMAT}}}')
    (tiny.parent / "older/teacher/meta.json").write_text('{"format": 2}')
    (tiny.parent / "gone/recipe.toml").unlink()
    runs = listed(kd)
    assert sorted(runs) == ["gone", "meta", "older", "recipe", "tiny"]
    assert {run["dataset"] for run in runs.values()} == {"gaussians"}
    assert {run["student_sets"] for run in runs.values()} == {2}
    assert runs["tiny"]["problem"] is None
    assert "is not valid TOML" in runs["recipe"]["problem"]
    assert "meta.json is damaged" in runs["meta"]["problem"]
    assert "older/teacher is in format 2 of an earlier kd" in runs["older"]["problem"]
    assert "recipe.toml is missing" in runs["gone"]["problem"]
    out = kd("runs").out
    assert "recipe: " in out
    assert "meta: " in out


def test_a_marker_of_a_run_that_is_gone(kd: Kd, tiny: Path) -> None:
    (tiny.parent / "current").write_text("gone\n")
    outcome = kd("runs")
    assert outcome.code == 0
    assert "names the run 'gone', which does not exist" in outcome.out
    assert listed(kd)["tiny"]["current"] is False


def test_a_file_for_an_outputs_folder(kd: Kd, outputs: Path) -> None:
    outputs.write_text("")
    outcome = kd("runs")
    assert outcome.code == 1
    assert "is not a folder" in outcome.err
