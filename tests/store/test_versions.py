import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, edit_recipe, forge

from kdcli.store import FORMAT, NewerError, ResumePoint, is_newer, resume

LABELS, SOFT = "students/labels-mlp4", "students/soft-T4-mlp4"
NAMES = ["data", "teacher", LABELS, SOFT]
STAGES = {
    "data": ["gen-data", "--run", "tiny", "--seed", "5"],
    "teacher": ["train-teacher", "--epochs", "5"],
    LABELS: ["distill", "--target", "labels", "--epochs", "3"],
    SOFT: ["distill", "--target", "soft", "--epochs", "3"],
}


def content(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def make_newer(folder: Path, **changed: Any) -> None:
    """Change a record to one of a newer kd: of an unknown format by default."""
    path = folder / "meta.json"
    record = json.loads(path.read_text())
    versions = {**record["versions"], "kdcli": "9.1.0"}
    forge(folder, **{"versions": versions, "format": 99, "drawn": [1], "config": {"new": 1}, **changed})


def states(kd: Kd) -> dict[str, str]:
    return {item["name"]: item["state"] for item in json.loads(kd("show", "--json").out)["artefacts"]}


@pytest.mark.parametrize(
    ("version", "newer"),
    [("0.1.0", False), ("0.0.9", False), ("0.1", False), ("0.1.1", True), ("0.10", True), ("1.0.0rc1", True)],
)
def test_versions(version: str, newer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdcli.store.versions.__version__", "0.1.0")
    assert is_newer(version) is newer
    assert is_newer(version, FORMAT) is newer
    assert is_newer(version, FORMAT + 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("known_format", [False, True])
def test_a_newer_artefact_is_told_and_left_alone(kd: Kd, tiny: Path, name: str, known_format: bool) -> None:
    path = tiny / name / "meta.json"
    if known_format:  # but a setting that is not known
        config = json.loads(path.read_text())["config"]
        make_newer(tiny / name, format=FORMAT, config={**config, "stretch": 2})
        record = {k: v for k, v in json.loads(path.read_text()).items() if k != "drawn"}
        path.write_text(json.dumps(record))
        forge(tiny / name)
    else:
        make_newer(tiny / name)
    before = content(tiny / name)
    checked = kd("check", "--json")
    assert checked.code == 1
    document = json.loads(checked.out)
    assert document["damaged"] == 0
    assert document["newer"] == sum(state == "newer" for state in states(kd).values()) > 0
    (item,) = [item for item in document["runs"][0]["artefacts"] if item["name"] == name]
    assert (item["state"], item["again"]) == ("newer", None)
    assert "newer kd (version 9.1.0" in item["problems"][0]
    told = [
        kd("check").out,
        kd("show").out,
        kd("runs").out if name in ("data", "teacher") else kd("check").out,
    ]
    for arguments in (["compare"], ["plot"], STAGES[name], [*STAGES[name], "--force"]):
        outcome = kd(*arguments)
        assert outcome.code == 1
        assert f"{path} was made by a newer kd (version 9.1.0, format " in outcome.err
        assert "update kd" in outcome.err
        told.append(outcome.err)
    assert not any(
        word in text for text in told for word in ("damaged:", "remove", "make it again", "--force")
    )
    assert all("9.1.0" in text for text in told)
    assert content(tiny / name) == before


def test_what_is_made_from_something_newer_cannot_be_told_to_be_stale(kd: Kd, tiny: Path) -> None:
    make_newer(tiny / "teacher")
    assert states(kd) == {"data": "fresh", "teacher": "newer", LABELS: "fresh", SOFT: "newer"}
    assert "kd cannot know whether this is stale" in kd("show").out
    assert kd("check").out.endswith("no damage found; 2 artefacts by a newer kd could not be checked\n")


def test_damage_is_damage_beside_what_is_newer(kd: Kd, tiny: Path) -> None:
    make_newer(tiny / SOFT)
    (tiny / LABELS / "history.safetensors").write_bytes(b"")
    assert states(kd) == {"data": "fresh", "teacher": "fresh", LABELS: "damaged", SOFT: "newer"}


def test_a_recipe_with_settings_of_a_newer_kd(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, "[teacher]", "[teacher]\nwarmup = 3")
    assert states(kd)["recipe.toml"] == "damaged"  # nothing here is of a newer kd
    make_newer(tiny / SOFT)
    before = (tiny / "recipe.toml").read_bytes()
    Path("tiny.toml").write_text('[data]\ndataset = "moons"\n')
    assert states(kd)["recipe.toml"] == "newer"
    assert "recipe.toml was made by a newer kd" in kd("runs").out
    for arguments in (["train-teacher"], ["gen-data", "--recipe", "tiny.toml", "--force"]):
        outcome = kd(*arguments)
        assert outcome.code == 1
        assert "recipe.toml was made by a newer kd (version 9.1.0, format 99)" in outcome.err
        assert "teacher.warmup: no such key" in outcome.err
        assert "--force" not in outcome.err
    assert (tiny / "recipe.toml").read_bytes() == before


def newer_state(path: Path, monkeypatch: pytest.MonkeyPatch) -> ResumePoint:
    """Keep a state as a newer kd does."""
    point = ResumePoint(path)
    with monkeypatch.context() as patch:
        patch.setattr(resume, "FORMAT", FORMAT + 1)
        patch.setattr(resume, "__version__", "9.1.0")
        point.save({}, {"at": torch.tensor([1, 0, 0])})
    return point


def test_a_state_of_a_newer_kd_is_not_taken_and_not_lost(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = newer_state(tiny / ".resume/teacher.0", monkeypatch)
    kept = point.path.read_bytes()
    with pytest.raises(NewerError, match=rf"version 9.1.0, format {FORMAT + 1}\)"):
        point.load()
    outcome = kd("train-teacher", "--epochs", "3", "--force")
    assert outcome.code == 1
    assert "move the file elsewhere to train from the start" in outcome.err
    assert "up to date" in kd("train-teacher").out
    assert point.path.read_bytes() == kept
    document = json.loads(kd("show", "--json").out)
    assert (document["resumable"], document["spoilt"]) == ([], [])
    assert document["newer"] == [str(point.path)]
    assert "unfinished training by a newer kd" in kd("check").out
    point.path.rename(tiny / "aside")
    assert kd("train-teacher", "--epochs", "3", "--force").code == 0


def test_a_state_that_says_nothing_of_its_format_is_an_older_one(tmp_path: Path) -> None:
    point = ResumePoint(tmp_path / "run/.resume/teacher")
    point.path.parent.mkdir(parents=True)
    for text in (
        b"",
        b"x" * 32 + (2).to_bytes(8, "little") + b"{}",
        b"x" * 32 + (9**9).to_bytes(8, "little"),
    ):
        point.path.write_bytes(text)
        assert point.newer is None
        assert point.load() is None


@pytest.mark.parametrize("name", NAMES)
def test_an_older_artefact_is_refused_until_the_command_that_is_named_makes_it_again(
    kd: Kd, tiny: Path, name: str
) -> None:
    forge(tiny / name, format=FORMAT - 1, seal="0")
    before = content(tiny / name)
    document = json.loads(kd("check", "--json").out)
    assert (document["damaged"], document["older"]) == (0, 1)
    (item,) = [item for item in document["runs"][0]["artefacts"] if item["name"] == name]
    assert item["state"] == "older"
    assert "1 artefact by an earlier kd could not be checked" in kd("check").out
    for arguments in (["compare"], ["plot"]):
        outcome = kd(*arguments)
        assert outcome.code == 1
        assert f"{tiny / name} is in format {FORMAT - 1} of an earlier kd" in outcome.err
        assert "make it again with `kd " in outcome.err
    assert content(tiny / name) == before
    assert kd(*shlex.split(item["again"])[1:]).code == 0
    assert states(kd)[name] == "fresh"
