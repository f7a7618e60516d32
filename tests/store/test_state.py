import json
import os
from pathlib import Path

import pytest
import torch

from kdcli.store import (
    FORMAT,
    Artefact,
    Condition,
    Content,
    Run,
    Store,
    extent,
    leftovers,
    marker_problem,
    other_files,
    root_leftovers,
    run_folders,
    verify,
)


@pytest.fixture
def run(outputs: Path) -> Run:
    run = Store(outputs).run("one")
    run.write_recipe("")
    return run


@pytest.fixture
def data(run: Run) -> Artefact:
    """An artefact of two files of tensors."""
    artefact = run.artefact("data")
    tensors = {name: {"x": torch.full((3,), value)} for name, value in (("a", 0.0), ("b", 1.0))}
    artefact.write("test", {}, {}, Content(tensors, {}, 0.5))
    return artefact


def problems(artefact: Artefact) -> str:
    return "; ".join(verify(artefact).problems)


def edit(artefact: Artefact, **changed: object) -> None:
    path = artefact.path / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def test_what_was_written_is_fresh(data: Artefact) -> None:
    assert verify(data) == Condition(data, "fresh", meta=data.meta())


def test_every_flipped_byte_and_every_cut_is_found(data: Artefact) -> None:
    file = data.path / "a.safetensors"
    content = file.read_bytes()
    for position in range(0, len(content), 7):
        file.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert verify(data).state == "damaged"
        file.write_bytes(content[:position])
        assert verify(data).state == "damaged"
    file.write_bytes(content + b"\0")
    assert verify(data).state == "damaged"
    assert verify(data).remove == (data.path,)
    file.write_bytes(content)
    assert verify(data).state == "fresh"


def test_missing_and_surplus_files_are_named(data: Artefact) -> None:
    folder = data.path
    (folder / "a.safetensors").unlink()
    (folder / "notes.txt").write_text("mine")
    (folder / "more").mkdir()
    assert problems(data) == (
        f"{folder}/a.safetensors is missing; "
        f"{folder}/more does not belong to this artefact: no stage wrote it; "
        f"{folder}/notes.txt does not belong to this artefact: no stage wrote it"
    )


def test_surplus_files_alone_are_removed_and_nothing_is_made_again(data: Artefact) -> None:
    (data.path / "notes.txt").write_text("mine")
    condition = verify(data)
    assert (condition.state, condition.remade) == ("damaged", False)
    assert condition.remove == (data.path / "notes.txt",)


def test_what_has_no_meta_or_is_not_there_is_unfinished(run: Run, data: Artefact) -> None:
    (data.path / "meta.json").unlink()
    assert verify(data).state == verify(run.artefact("teacher")).state == "unfinished"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": "2"}', "\xff", "[" * 100_000, "NaN"])
def test_a_meta_that_is_none_is_damage(data: Artefact, text: str) -> None:
    (data.path / "meta.json").write_text(text, encoding="latin-1")
    condition = verify(data)
    assert (condition.state, condition.meta, condition.remove) == ("damaged", None, (data.path,))
    assert "data/meta.json is damaged" in problems(data)


def test_what_another_version_wrote_is_not_to_be_removed(data: Artefact) -> None:
    edit(data, format=FORMAT + 1)
    newer = verify(data)
    assert (newer.state, newer.remove, newer.remade, newer.advice) == ("newer", (), False, "update kd")
    edit(data, format=FORMAT - 1)
    older = verify(data)
    assert (older.state, older.remove, older.remade, older.meta) == ("older", (), True, None)


@pytest.mark.parametrize("name", ["data", "data/meta.json", "data/a.safetensors"])
def test_files_folders_pipes_and_links_in_the_wrong_place(run: Run, data: Artefact, name: str) -> None:
    path = run.path / name
    path.rename(path.with_name("aside"))
    for make in (
        lambda: path.symlink_to(path),
        lambda: path.symlink_to("nowhere"),
        lambda: os.mkfifo(path),
        lambda: path.write_text("") if name == "data" else path.mkdir(),
    ):
        make()
        assert verify(data).state == "damaged"
        path.rmdir() if path.is_dir() else path.unlink()


def test_an_unreadable_file_is_not_to_be_removed(data: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path.open

    def refuse(path: Path, *arguments: str, **options: str) -> object:
        if path.suffix == ".safetensors":
            raise PermissionError(13, "Permission denied")
        return usual(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    assert "a.safetensors cannot be read: Permission denied" in problems(data)
    assert verify(data).remove == ()


def test_leftovers_are_told_from_what_is_hidden_otherwise(run: Run) -> None:
    names = [".data.new-x1", ".teacher.replaced", "students/.soft.new-y", "figures/.a.png.new-z"]
    for name in [*names, ".git", "students/.DS_Store", ".resume"]:
        (run.path / name).mkdir(parents=True)
    assert [str(path.relative_to(run.path)) for path in leftovers(run)] == names
    root = run.store.root
    (root / ".one.deleted-12").mkdir()
    (root / ".locks").mkdir()
    assert root_leftovers(run.store) == [root / ".one.deleted-12"]


def test_runs_that_lost_their_recipe_are_seen(run: Run, data: Artefact) -> None:
    store = run.store
    (store.root / "notes").mkdir()
    (store.root / "file").write_text("")
    (store.root / ".two.deleted-0").mkdir()
    (store.root / ".two.deleted-0/recipe.toml").write_text("")
    assert run_folders(store) == store.runs() == ["one"]
    run.recipe_path.unlink()
    assert run_folders(store) == ["one"]
    assert store.runs() == []


def test_the_marker(run: Run) -> None:
    assert marker_problem(run.store) == ""
    run.store.make_current("one")
    assert marker_problem(run.store) == ""
    run.store.make_current("two")
    assert "names the run 'two', which does not exist" in marker_problem(run.store)
    (run.store.root / "current").unlink()
    (run.store.root / "current").mkdir()
    assert "cannot use" in marker_problem(run.store)


def test_sizes_do_not_follow_links(tmp_path: Path) -> None:
    big, folder = tmp_path / "big", tmp_path / "folder"
    big.mkdir()
    (big / "file").write_bytes(bytes(100_000))
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/a").write_bytes(bytes(10))
    (folder / "b").write_bytes(bytes(5))
    assert extent(folder).size == 15
    os.utime(folder / "b", (0, 2e9))
    assert extent(folder).written == 2e9
    (folder / "link").symlink_to(big)
    (folder / "other").symlink_to(big / "file")
    assert 15 < extent(folder).size < 1000
    assert extent(folder / "nowhere").size == 0


def test_other_files(run: Run) -> None:
    run.write_figure("a.png", b"1")
    run.write_report("compare.json", "{}")
    (run.path / ".hidden").write_text("")
    names = [str(path.relative_to(run.path)) for path in other_files(run)]
    assert names == ["compare.json", "recipe.toml", "figures/a.png"]
