import io
import json
import os
import shutil
from pathlib import Path

import pytest
from harness import Kd

from kdcli.store import Store


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(text))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_that_run_goes(kd: Kd, tiny: Path) -> None:
    shutil.copytree(tiny, tiny.parent / "two")
    before = everything(tiny)
    outcome = kd("delete", "two", "--yes")
    assert outcome.code == 0
    assert outcome.out.startswith("deleted run two: ")
    assert sorted(path.name for path in tiny.parent.iterdir()) == [".locks", "current", "tiny"]
    assert everything(tiny) == before


def test_the_document_and_the_marker(kd: Kd, tiny: Path) -> None:
    size = sum(map(len, everything(tiny).values()))
    document = json.loads(kd("delete", "tiny", "--yes", "--json").out)
    assert document == {"run": "tiny", "path": str(tiny), "size": size, "was_current": True}
    assert not (tiny.parent / "current").exists()
    assert kd("plot").code == 1


def test_asks_with_what_is_lost(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(tiny)
    answer(monkeypatch, "n\n")
    outcome = kd("delete", "tiny")
    assert outcome.code == 1
    assert "this deletes its data and teacher, 2 student sets" in outcome.out
    assert "permanently delete run tiny (" in outcome.err
    assert outcome.out.endswith("nothing was deleted\n")
    answer(monkeypatch, "")
    assert kd("delete", "tiny").code == 130
    assert everything(tiny) == before
    answer(monkeypatch, "y\n")
    assert kd("delete", "tiny").code == 0
    assert not tiny.exists()


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--quiet"]])
def test_refuses_where_there_is_nobody_to_ask(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    outcome = kd("delete", "tiny", *arguments)
    assert outcome.code == 2
    assert "`kd delete tiny --yes`" in outcome.out + outcome.err
    assert tiny.is_dir()


@pytest.mark.parametrize(
    "name",
    ["tinny", "", ".", "..", "../outputs/tiny", "tiny/", "tiny/data", "current", "folder", ".locks", "/"],
)
def test_what_is_no_run_is_left_alone(kd: Kd, tiny: Path, name: str) -> None:
    (tiny.parent / "folder").mkdir()
    (tiny.parent / "folder/file").write_text("mine")
    before = everything(tiny.parent)
    outcome = kd("delete", name, "--yes")
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert everything(tiny.parent) == before


def test_the_nearest_name_is_suggested(kd: Kd, tiny: Path) -> None:
    assert "did you mean tiny?" in kd("delete", "tinny", "--yes").err


def test_links_are_not_followed(kd: Kd, tiny: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tiny, elsewhere)
    (tiny.parent / "linked").symlink_to(elsewhere)
    before = everything(elsewhere)
    outcome = kd("delete", "linked", "--yes")
    assert outcome.code == 1
    assert "is a symbolic link" in outcome.err
    (tiny / "students/mine").symlink_to(elsewhere / "students/soft-T4-mlp4")
    os.symlink(elsewhere / "data", tiny / "more")
    assert kd("delete", "tiny", "--yes").code == 0
    assert everything(elsewhere) == before


def test_a_run_that_another_kd_works_on_is_left_alone(kd: Kd, tiny: Path) -> None:
    before = everything(tiny)
    with Store(tiny.parent).run("tiny").locked():
        outcome = kd("delete", "tiny", "--yes", "--no-wait")
    assert outcome.code == 1
    assert "another kd is working on run tiny" in outcome.err
    assert everything(tiny) == before


def test_a_run_that_is_broken_can_be_deleted(kd: Kd, tiny: Path) -> None:
    (tiny / "recipe.toml").write_text("[data")
    (tiny / "data/meta.json").write_text("")
    shutil.rmtree(tiny / "students")
    (tiny / "students").write_text("")
    assert kd("delete", "tiny", "--yes").code == 0
    assert not tiny.exists()
