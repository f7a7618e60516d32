import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, Outcome

from kdcli.store.resume import ResumePoint

NAMES = ["data", "teacher", "students/labels-mlp4", "students/soft-T4-mlp4"]


def checked(kd: Kd, *arguments: str) -> dict[str, Any]:
    outcome = kd("check", *arguments, "--json")
    document: dict[str, Any] = json.loads(outcome.out)
    assert outcome.code == (1 if document["damaged"] else 0)
    assert outcome.err == ""
    return document


def states(kd: Kd) -> dict[str, str]:
    (run,) = checked(kd, "--run", "tiny")["runs"]
    return {item["name"]: item["state"] for item in run["artefacts"]}


def follow(kd: Kd, text: str) -> list[Outcome]:
    """Run the printed commands that repair things, in the printed order."""
    outcomes = []
    for line in re.findall("to repair it: (.*)", text):
        for path in re.findall(r"remove (\S+)", line):
            shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()
        outcomes += [kd(*shlex.split(command)) for command in re.findall("`kd (.*?)`", line)]
    return outcomes


def test_the_document_of_a_whole_run(kd: Kd, tiny: Path) -> None:
    fresh = {"state": "fresh", "problems": [], "differences": [], "again": None}
    assert checked(kd) == {
        "runs": [
            {
                "run": "tiny",
                "artefacts": [{"name": name, "path": str(tiny / name), **fresh} for name in NAMES],
                "resumable": [],
                "spoilt": [],
                "newer": [],
                "leftovers": [],
            }
        ],
        "problems": [],
        "leftovers": [],
        "damaged": 0,
        "older": 0,
        "newer": 0,
    }
    outcome = kd("check")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("no damage found\n")
    assert kd("check", "--quiet").out == ""


def damages(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", [damages, Path.unlink, lambda file: file.write_bytes(b"")])
def test_damage_is_told_with_a_command_that_mends_it(kd: Kd, tiny: Path, name: str, how: Any) -> None:
    how(sorted((tiny / name).glob("*.safetensors"))[0])
    assert states(kd) == {**dict.fromkeys(NAMES, "fresh"), name: "damaged"}
    outcome = kd("check")
    assert outcome.code == 1
    assert all(done.code == 0 for done in follow(kd, outcome.out))
    assert states(kd) == dict.fromkeys(NAMES, "fresh")


def test_what_is_stale_is_told_with_a_command_that_renews_it(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    assert states(kd) == {**dict.fromkeys(NAMES, "fresh"), NAMES[3]: "stale"}
    (run,) = checked(kd)["runs"]
    assert run["artefacts"][3]["again"] == "kd distill --target soft --temperature 4 --force"
    assert all(done.code == 0 for done in follow(kd, kd("check").out))
    assert states(kd) == dict.fromkeys(NAMES, "fresh")


@pytest.mark.parametrize("name", NAMES)
def test_a_meta_that_is_damaged_or_gone_is_mended_as_well(kd: Kd, tiny: Path, name: str) -> None:
    before = {file: file.stat().st_size for file in tiny.rglob("*.safetensors")}
    for text, state in (("{}", "damaged"), ("", "unfinished")):
        path = tiny / name / "meta.json"
        path.write_text(text) if text else path.unlink()
        assert states(kd)[name] == state
        assert all(done.code == 0 for done in follow(kd, kd("check").out))
        assert states(kd) == dict.fromkeys(NAMES, "fresh")
        assert {file: file.stat().st_size for file in before} == before  # with as many seeds


def test_a_run_of_an_earlier_kd_is_refused_until_it_is_made_again_as_is_said(kd: Kd, tiny: Path) -> None:
    """Up to format 5, what a run has trained has no axis of draws."""
    records = [tiny / name / "meta.json" for name in NAMES]
    for path in records:
        path.write_text(json.dumps({**json.loads(path.read_text()), "format": 5}))
    for command in ("compare", "plot", "distill", "train-teacher"):
        refused = kd(command)
        assert refused.code == 1
        words = r"/tiny/(data|teacher) is in format 5 of an earlier kd; this kd reads 7\n"
        (name,) = re.findall(words, refused.err)
        again = {"data": "kd gen-data --run tiny --force", "teacher": "kd train-teacher --force"}[name]
        assert f"make it again with `{again}`" in refused.err
    outcome = kd("check")
    assert outcome.code == 1
    assert json.loads(kd("check", "--json").out)["older"] == len(NAMES)
    assert kd("runs").code == kd("show").code == 0
    assert all(done.code == 0 for done in follow(kd, outcome.out))
    assert states(kd) == dict.fromkeys(NAMES, "fresh")
    assert kd("compare").code == 0


def test_a_set_of_ones_own_is_made_again_as_it_was(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "soft", "-T", "2", "--seeds", "1", "--name", "mine", "--label-weight", "0.3")
    before = (tiny / "students/mine/model.safetensors").read_bytes()
    (tiny / "students/mine/model.safetensors").unlink()
    assert states(kd)["students/mine"] == "damaged"
    follow(kd, kd("check").out)
    assert (tiny / "students/mine/model.safetensors").read_bytes() == before


def test_a_surplus_file_is_only_removed(kd: Kd, tiny: Path) -> None:
    (tiny / "teacher/notes.txt").write_text("mine")
    artefact = checked(kd)["runs"][0]["artefacts"][1]
    assert (artefact["state"], artefact["again"]) == ("damaged", None)
    assert follow(kd, kd("check").out) == []
    assert states(kd) == dict.fromkeys(NAMES, "fresh")


@pytest.mark.parametrize(
    "name", ["recipe.toml", *(f"{name}/meta.json" for name in NAMES), "students", "data"]
)
@pytest.mark.parametrize("what", ["nothing", "text", "bytes", "folder", "link", "other"])
def test_whatever_lies_there_is_told(kd: Kd, tiny: Path, name: str, what: str) -> None:
    path = tiny / name
    record = path.read_bytes() if path.is_file() else b"{}"
    path.rename(tiny.parent / "aside")
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(path)
    elif what != "nothing":
        changed = record.replace(b'"mlp:', b'"mlq:').replace(b'"gaussians"', b'"gaussian"')
        path.write_bytes({"text": b"[data", "bytes": b"\xff\0"}.get(what, changed))
    (tiny.parent / "two").mkdir()
    (tiny.parent / "two/recipe.toml").write_text('[data]\ndataset = "moons"\n')
    unfinished = what == "nothing" or (what == "folder" and name in ("data", "students"))
    for arguments in ([], ["--json"]):
        outcome = kd("check", *arguments)
        assert outcome.code == (0 if unfinished and name != "recipe.toml" else 1)
        assert "two" in outcome.out
        assert name.removesuffix("/meta.json") in outcome.out or what in ("nothing", "folder")
        listed = kd("runs", *arguments)
        assert listed.code == 0
        assert "two" in listed.out
        assert "tiny" in listed.out
        a_run = name != "recipe.toml" or path.is_file()
        assert kd("show", *arguments).code == (0 if a_run else 2)


def test_a_broken_recipe_is_named_with_what_is_wrong(kd: Kd, tiny: Path) -> None:
    (tiny / "recipe.toml").write_text('[data]\ndataset = "gaussian"\n')
    (tiny / "teacher/model.safetensors").unlink()
    artefacts = checked(kd)["runs"][0]["artefacts"]
    assert [item["name"] for item in artefacts] == ["recipe.toml", *NAMES]
    assert "no dataset 'gaussian'" in artefacts[0]["problems"][0]
    assert artefacts[2]["again"] is None  # it depends on the recipe


def test_leftovers_are_harmless(kd: Kd, tiny: Path) -> None:
    left = [tiny / ".data.new-abc", tiny / "students/.soft-T4-mlp4.replaced"]
    for path in [*left, tiny.parent / ".old.deleted-12"]:
        path.mkdir()
    document = checked(kd)
    assert document["runs"][0]["leftovers"] == list(map(str, left))
    assert document["leftovers"] == [str(tiny.parent / ".old.deleted-12")]
    assert document["damaged"] == 0
    out = kd("check").out
    assert "harmless" in out
    assert ".old.deleted-12" in out


def test_all_runs_or_one(kd: Kd, tiny: Path) -> None:
    shutil.copytree(tiny, tiny.parent / "two")
    (tiny.parent / "two/data/tensors.safetensors").unlink()
    assert [run["run"] for run in checked(kd)["runs"]] == ["tiny", "two"]
    assert [run["run"] for run in checked(kd, "--run", "tiny")["runs"]] == ["tiny"]
    assert kd("check").code == 1
    assert kd("check", "--run", "tiny").code == 0
    document = checked(kd, "--run", "two")
    assert document["runs"][0]["artefacts"][0]["again"] == "kd gen-data --run two"


def test_the_outputs_folder_is_in_the_commands(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KD_OUTPUTS")
    shutil.move(tiny.parent, "else where")
    Path("else where/tiny/teacher/model.safetensors").unlink()
    document = checked(kd, "--outputs", "else where")
    assert document["runs"][0]["artefacts"][1]["again"] == "kd train-teacher --outputs 'else where'"


def test_nothing_there_and_no_such_run(kd: Kd, outputs: Path, tmp_path: Path) -> None:
    outcome = kd("check")
    assert outcome.code == 0
    assert "`kd run gaussians` makes one" in outcome.out
    outcome = kd("check", "--run", "tiny")
    assert outcome.code == 2
    (tmp_path / "outputs").write_text("")
    outcome = kd("check")
    assert outcome.code == 1
    assert "is not a folder" in outcome.err


def test_a_damaged_marker(kd: Kd, tiny: Path) -> None:
    (tiny.parent / "current").write_text("gone\n")
    document = checked(kd)
    assert document["damaged"] == 1
    assert "names the run 'gone', which does not exist" in document["problems"][0]
    assert checked(kd, "--run", "tiny")["damaged"] == 0
    os.remove(tiny.parent / "current")
    (tiny.parent / "current").mkdir()
    assert checked(kd)["damaged"] == 1


def test_names_that_are_no_text(kd: Kd, tiny: Path) -> None:
    for folder in ("data", "figures"):
        (tiny / os.fsdecode(f"{folder}/[red]".encode() + b"\xff\n.png")).write_text("")
    assert "damaged" in kd("check").out
    assert "[red]" in kd("show").out
    assert checked(kd)["damaged"] == 1


def test_a_training_that_was_cut_off_is_told_of(kd: Kd, tiny: Path) -> None:
    state = tiny / ".resume/teacher.0"
    state.parent.mkdir()
    ResumePoint(state).save({}, {"at": torch.tensor([1, 0, 0])})
    whole = state.read_bytes()
    for content, key in ((whole, "resumable"), (whole[:-1], "spoilt")):
        state.write_bytes(content)
        for command in ("show", "check"):
            (told,) = re.findall(rf"(.*):\n +{re.escape(os.path.relpath(state))}", kd(command).out)
            assert ("to resume" in told) is (key == "resumable")
            assert ("not a valid training state" in told) is (key == "spoilt")
        document = json.loads(kd("check", "--json").out)
        kept = {name: document["runs"][0][name] for name in ("resumable", "spoilt")}
        assert kept == {"resumable": [], "spoilt": [], key: [str(state)]}
        assert document["damaged"] == 0
    assert kd("train-teacher").code == 0  # it exists: nothing to resume from
    assert not json.loads(kd("show", "--json").out)["spoilt"]
    assert not state.parent.exists()
