import json
import os
from pathlib import Path

import pytest
import torch

from kdcli.store import (
    Artefact,
    Run,
    Store,
    conditions,
    extent,
    leftovers,
    marker_problem,
    other_files,
    root_leftovers,
    run_folders,
)


@pytest.fixture
def run(outputs: Path) -> Run:
    run = Store(outputs).run("one")
    run.write_recipe("")
    return run


def put(run: Run, name: str, parents: list[Artefact], value: float = 0.0) -> Artefact:
    artefact = run.artefact(name)
    tensors = {"a": {"x": torch.full((3,), value)}, "b": {"x": torch.full((3,), value + 1)}}
    artefact.write("test", {}, parents, tensors, {}, 0.5)
    return artefact


@pytest.fixture
def whole(run: Run) -> Run:
    """A run with data, a teacher, and a student set of each."""
    data = put(run, "data", [])
    teacher = put(run, "teacher", [data])
    put(run, "students/labels", [data])
    put(run, "students/soft", [data, teacher])
    return run


def states(run: Run) -> dict[str, str]:
    return {one.artefact.name: one.state for one in conditions(run)}


def problems(run: Run, name: str) -> str:
    return "; ".join(next(one.problems for one in conditions(run) if one.artefact.name == name))


FRESH = {"data": "fresh", "teacher": "fresh", "students/labels": "fresh", "students/soft": "fresh"}


def test_what_was_written_is_fresh(whole: Run) -> None:
    assert states(whole) == FRESH
    assert all(one.problems == () and one.remove == () for one in conditions(whole))


def test_stale_is_what_the_artefact_itself_calls_so(whole: Run) -> None:
    for name in ("data", "teacher"):
        put(whole, name, [whole.artefact("data")] if name == "teacher" else [], value=7.0)
        for one in conditions(whole):
            assert (one.state == "stale") == one.artefact.stale()
    assert states(whole) == {
        "data": "fresh",
        "teacher": "fresh",
        "students/labels": "stale",
        "students/soft": "stale",
    }
    assert "data, which it was made from, was since replaced" in problems(whole, "students/labels")


def test_what_is_made_again_alike_makes_nothing_stale(whole: Run) -> None:
    put(whole, "data", [])
    assert states(whole) == FRESH


def test_staleness_is_inherited(whole: Run) -> None:
    put(whole, "data", [], value=1.0)
    put(whole, "students/soft", [whole.artefact("teacher")])
    assert problems(whole, "students/soft") == "teacher, which it was made from, is stale"


def test_every_flipped_byte_and_every_cut_is_found(run: Run) -> None:
    file = put(run, "data", []).path / "a.safetensors"
    content = file.read_bytes()
    for position in range(0, len(content), 7):
        file.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert states(run) == {"data": "damaged"}
        file.write_bytes(content[:position])
        assert states(run) == {"data": "damaged"}
    file.write_bytes(content + b"\0")
    assert states(run) == {"data": "damaged"}
    file.write_bytes(content)
    assert states(run) == {"data": "fresh"}


def test_damage_does_not_make_what_was_made_from_it_stale(whole: Run) -> None:
    (whole.path / "data/a.safetensors").write_bytes(b"")
    assert states(whole) == {**FRESH, "data": "damaged"}


def test_what_was_made_from_something_that_is_gone_is_stale_and_that_is_named(whole: Run) -> None:
    (whole.path / "teacher").rename(whole.path / ".teacher.replaced")
    assert states(whole) == {**FRESH, "teacher": "unfinished", "students/soft": "stale"}
    assert problems(whole, "students/soft") == "teacher, which it was made from, is not there"


def test_missing_and_surplus_files_are_named(run: Run) -> None:
    folder = put(run, "data", []).path
    (folder / "a.safetensors").unlink()
    (folder / "notes.txt").write_text("mine")
    (folder / "more").mkdir()
    assert problems(run, "data") == (
        f"{folder}/a.safetensors is missing; "
        f"{folder}/more is not of this artefact: no stage wrote it; "
        f"{folder}/notes.txt is not of this artefact: no stage wrote it"
    )


def test_surplus_files_alone_are_removed_and_nothing_is_made_again(run: Run) -> None:
    folder = put(run, "data", []).path
    (folder / "notes.txt").write_text("mine")
    (one,) = conditions(run)
    assert (one.state, one.remove, one.remade) == ("damaged", (folder / "notes.txt",), False)


def test_a_folder_without_meta_is_unfinished(whole: Run) -> None:
    (whole.path / "students/soft/meta.json").unlink()
    assert states(whole) == {**FRESH, "students/soft": "unfinished"}


def test_a_run_without_data_is_unfinished(run: Run) -> None:
    assert states(run) == {"data": "unfinished"}


def _record(artefact: Artefact) -> dict[str, object]:
    return dict(json.loads((artefact.path / "meta.json").read_text()))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"format": 1}', "\xff", "[" * 100_000, '{"format": "2"}', "NaN"]
)
def test_a_meta_that_is_none(whole: Run, text: str) -> None:
    (whole.path / "teacher/meta.json").write_text(text, encoding="latin-1")
    assert states(whole) == {**FRESH, "teacher": "damaged", "students/soft": "stale"}
    assert "teacher/meta.json is damaged" in problems(whole, "teacher")


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": None},
        {"files": {"a.safetensors": 1}},
        {"files": {"../data/a.safetensors": "0"}},
        {"files": {"\ud800": "0"}},
        {"parents": ["data"]},
        {"parents": {"data": 3}},
        {"parents": {"../other/data": "0"}},
        {"parents": {"students/soft": "0"}},
        {"config": []},
        {"config": {"x": float("nan")}},
        {"metrics": 3},
        {"created": 3},
        {"digest": None},
    ],
)
def test_a_meta_of_another_shape(run: Run, change: dict[str, object]) -> None:
    artefact = put(run, "data", [])
    (artefact.path / "meta.json").write_text(json.dumps({**_record(artefact), **change}))
    assert states(run) == {"data": "damaged"}


def test_a_newer_meta_is_not_to_be_removed(run: Run) -> None:
    artefact = put(run, "data", [])
    (artefact.path / "meta.json").write_text(json.dumps({**_record(artefact), "format": 99}))
    (one,) = conditions(run)
    assert (one.state, one.remove, one.remade, one.advice) == ("newer", (), False, "update kd")


@pytest.mark.parametrize("name", ["data", "data/meta.json", "data/a.safetensors"])
def test_files_folders_pipes_and_links_in_the_wrong_place(run: Run, name: str) -> None:
    path = put(run, "data", []).path.parent / name
    aside = path.with_name("aside")
    path.rename(aside)
    for make in (
        lambda: path.symlink_to(path),
        lambda: path.symlink_to("nowhere"),
        lambda: os.mkfifo(path),
        lambda: path.write_text("") if name == "data" else path.mkdir(),
    ):
        make()
        assert states(run)["data"] == "damaged"
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_file_where_a_student_set_or_all_of_them_should_be(run: Run) -> None:
    put(run, "data", [])
    (run.path / "students").mkdir()
    (run.path / "students/soft").write_text("")
    assert states(run) == {"data": "fresh", "students/soft": "damaged"}
    (run.path / "students/soft").unlink()
    (run.path / "students").rmdir()
    (run.path / "students").write_text("")
    assert states(run) == {"data": "fresh", "students": "damaged"}


def test_an_unreadable_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put(run, "data", [])
    usual = Path.open

    def refuse(path: Path, *arguments: str, **options: str) -> object:
        if path.suffix == ".safetensors":
            raise PermissionError(13, "Permission denied")
        return usual(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    assert "a.safetensors cannot be read: Permission denied" in problems(run, "data")
    (one,) = conditions(run)
    assert one.remove == ()


def test_leftovers_are_told_from_what_is_hidden_otherwise(whole: Run) -> None:
    names = [".data.new-x1", ".teacher.replaced", "students/.soft.new-y", "figures/.a.png.new-z"]
    for name in [*names, ".git", "students/.DS_Store", ".resume"]:
        (whole.path / name).mkdir(parents=True)
    assert [str(path.relative_to(whole.path)) for path in leftovers(whole)] == names
    root = whole.store.root
    (root / ".one.deleted-12").mkdir()
    (root / ".locks").mkdir()
    assert root_leftovers(whole.store) == [root / ".one.deleted-12"]
    assert states(whole) == FRESH


def test_runs_that_lost_their_recipe_are_seen(whole: Run) -> None:
    store = whole.store
    (store.root / "notes").mkdir()
    (store.root / "file").write_text("")
    (store.root / ".two.deleted-0").mkdir()
    (store.root / ".two.deleted-0/recipe.toml").write_text("")
    assert run_folders(store) == store.runs() == ["one"]
    whole.recipe_path.unlink()
    assert run_folders(store) == ["one"]
    assert store.runs() == []


def test_the_marker(run: Run) -> None:
    assert marker_problem(run.store) == ""
    run.store.make_current("one")
    assert marker_problem(run.store) == ""
    run.store.make_current("two")
    assert "names the run 'two', which is not there" in marker_problem(run.store)
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


def test_other_files(whole: Run) -> None:
    whole.write_figure("a.png", b"1")
    whole.write_report("compare.json", "{}")
    (whole.path / ".hidden").write_text("")
    names = [str(path.relative_to(whole.path)) for path in other_files(whole)]
    assert names == ["compare.json", "recipe.toml", "figures/a.png"]
