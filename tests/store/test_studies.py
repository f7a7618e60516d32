import os
import threading
from pathlib import Path

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.store import (
    BusyError,
    Content,
    Store,
    StudyFolder,
    marker_problem,
    packed,
    remove_run,
    share,
    study_runs,
    unpack,
)

FILES = {"meta.json": b'{"a": 1}\n', "tensors.safetensors": bytes(range(256)), "empty": b""}


@pytest.fixture
def study(outputs: Path) -> StudyFolder:
    """A study with a plan and no runs."""
    folder = StudyFolder(Store(outputs), "many")
    folder.write_plan("{}\n")
    return folder


def folder_with(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.parametrize("name", ["", "../x", "/x", ".hidden", "a/b", "a\nb", "x" * 101, "current"])
def test_names_that_no_study_may_have(outputs: Path, name: str) -> None:
    with pytest.raises(UsageError):
        StudyFolder(Store(outputs), name)


@pytest.mark.parametrize("name", ["", ".", "../x", "/x", ".shared", "a/b", "a\nb", "x" * 101])
def test_names_that_no_run_of_a_study_may_have(study: StudyFolder, name: str) -> None:
    with pytest.raises(UsageError):
        study.run(name)


def test_a_plan_is_a_file_like_any_other(outputs: Path) -> None:
    folder = StudyFolder(Store(outputs), "many")
    assert not folder.is_there
    assert folder.store.studies() == []
    folder.write_plan('{"a": "é"}')
    assert folder.is_there
    assert folder.read_plan() == '{"a": "é"}'.encode()
    assert folder.store.studies() == ["many"]
    assert folder.path == outputs / "many"


def test_studies_and_runs_are_told_apart(study: StudyFolder) -> None:
    store = study.store
    study.run("one").write_recipe("")
    store.run("alone").write_recipe("")
    (study.shelf("data-1")).mkdir(parents=True)
    assert store.studies() == ["many"]
    assert store.runs() == ["alone"]
    assert study_runs(store, "many") == ["many/one"]
    assert study_runs(store, "nosuch") == []


def test_a_run_of_a_study_is_one_by_its_whole_name(study: StudyFolder) -> None:
    run = study.run("one")
    assert run.name == "many/one"
    assert run.path == study.path / "one"
    assert study.store.run("many/one") == run
    with pytest.raises(UsageError, match="no run 'many/one'"):
        study.store.existing_run("many/one")
    run.write_recipe("[data]\n")
    assert study.store.existing_run("many/one").read_recipe() == b"[data]\n"


def test_a_study_is_no_run(study: StudyFolder) -> None:
    for take in (study.store.existing_run, lambda name: study.store.run(name).no_study()):
        with pytest.raises(UsageError, match="many is a study: name a run of it, many/NAME") as problem:
            take("many")
        assert problem.value.hint == (study.store.command("runs", "many"), " lists them")
    assert study.run("one").no_study() == study.run("one")
    study.store.make_current("many")
    with pytest.raises(UsageError, match="many is a study"):
        study.store.existing_run(None)


@pytest.mark.parametrize("name", ["current", "current/x"])
def test_no_run_stands_where_the_marker_is(outputs: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be named 'current'"):
        Store(outputs).run(name)


def test_a_run_of_a_study_is_the_current_one(study: StudyFolder) -> None:
    store, run = study.store, study.run("one")
    run.write_recipe("")
    store.make_current(run.name)
    assert store.current == "many/one"
    assert store.existing_run(None) == run
    assert marker_problem(store) == ""
    remove_run(run)
    assert store.current == ""
    store.make_current("many/gone")
    assert "names the run 'many/gone', which does not exist" in marker_problem(store)


def test_a_shell_names_a_run_of_a_study(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    study.run("one").write_recipe("")
    monkeypatch.setenv("KD_RUN", "many/one")
    assert study.store.existing_run(None).name == "many/one"
    monkeypatch.setenv("KD_RUN", "many/one/two")
    with pytest.raises(UsageError, match="'many/one/two' cannot name a run, as KD_RUN must"):
        study.store.existing_run(None)


def test_runs_of_a_study_are_locked_one_by_one(study: StudyFolder) -> None:
    one, two = study.run("one"), study.run("two")
    with one.locked(wait=False), two.locked(wait=False):
        with (
            pytest.raises(BusyError, match="another kd is working on run many/one"),
            one.locked(wait=False),
        ):
            pass
        with study.store.run("one").locked(wait=False):
            pass  # a run of that name which is in no study
    with one.locked(wait=False):
        pass
    locks = {path.name for path in (study.store.root / ".locks").iterdir()}
    assert locks == {"many@one", "many@two", "one"}


def test_a_run_of_a_study_that_is_refused_leaves_the_study(study: StudyFolder) -> None:
    with study.run("one").locked(wait=False):
        pass
    assert study.is_there
    assert not study.run("one").path.exists()


def test_what_a_deletion_left_in_a_study_is_cleared_up(study: StudyFolder) -> None:
    run = study.run("one")
    folder_with(study.path / ".one.deleted-12", {"rest": b""})
    folder_with(study.path / ".two.deleted-12", {"rest": b""})
    with run.locked() as cleared:
        assert cleared == [".one.deleted-12"]
    assert (study.path / ".two.deleted-12").exists()


def test_a_run_of_a_study_is_removed_alone(study: StudyFolder) -> None:
    one, two = study.run("one"), study.run("two")
    for run in (one, two):
        run.write_recipe(run.name)
    remove_run(one)
    assert [path.name for path in sorted(study.path.iterdir())] == ["study.json", "two"]
    assert two.read_recipe() == b"many/two"


def test_an_artefact_that_is_shared_is_removed_from_one_run_alone(study: StudyFolder) -> None:
    share(folder_with(study.shelf("data-1"), FILES), study.run("one").artefact("data").path)
    share(study.shelf("data-1"), study.run("two").artefact("data").path)
    remove_run(study.run("one"))
    assert content(study.run("two").path / "data") == content(study.shelf("data-1")) == FILES


def test_a_run_whose_shared_artefact_is_written_anew_changes_no_other(study: StudyFolder) -> None:
    one, two = (study.run(name).artefact("data") for name in ("one", "two"))
    one.write("gen-data", {}, {}, Content({}, {}, 0.1, documents={"description": {"a": 1}}))
    share(one.path, two.path)
    before = content(two.path)
    assert before == content(one.path)
    one.write("gen-data", {}, {}, Content({}, {}, 0.1, documents={"description": {"a": 2}}))
    assert content(two.path) == before != content(one.path)


def test_what_is_shared_is_linked(study: StudyFolder) -> None:
    shelf = folder_with(study.shelf("data-1"), FILES)
    target = study.run("one").path / "data"
    share(shelf, target)
    assert content(target) == FILES
    assert all(os.path.samefile(shelf / name, target / name) for name in FILES)


def test_what_is_shared_is_copied_where_there_are_no_links(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    shelf = folder_with(study.shelf("data-1"), FILES)
    target = study.run("one").path / "data"
    share(shelf, target)
    assert content(target) == FILES
    assert not any(os.path.samefile(shelf / name, target / name) for name in FILES)


def test_what_is_shared_is_there_as_a_whole_or_not(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = folder_with(study.shelf("data-1"), FILES)
    link, linked = os.link, []

    def cut_off(source: Path, target: Path) -> None:
        if linked:
            raise KeyboardInterrupt
        linked.append(source)
        link(source, target)

    monkeypatch.setattr(os, "link", cut_off)
    with pytest.raises(KeyboardInterrupt):
        share(shelf, study.run("one").path / "data")
    assert linked
    assert list(study.run("one").path.iterdir()) == []
    with pytest.raises(KdError, match="is missing"):
        share(study.shelf("nosuch"), study.run("one").path / "data")


def test_only_one_makes_what_is_shared(study: StudyFolder) -> None:
    order: list[str] = []
    waits = threading.Event()

    def second() -> None:
        waits.set()
        with StudyFolder(Store(study.store.root), "many").making("data-1"):
            order.append("second")

    other = threading.Thread(target=second)
    with study.making("data-1"):
        other.start()
        waits.wait(30)
        with study.making("data-2"):
            order.append("first")
    other.join(30)
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    "files",
    [{}, FILES, {"a": b"1", "students/soft/meta.json": b"{}", "students/soft/é.bin": bytes(1000)}],
)
def test_a_folder_is_unpacked_as_it_was_packed(tmp_path: Path, files: dict[str, bytes]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    folder_with(source, files)
    folder_with(source, {".resume/state": b"x", "students/.new-1/half": b"x", ".hidden": b"x"})
    assert packed(source) == files
    unpack(packed(source), tmp_path / "a/target")
    assert packed(tmp_path / "a/target") == files


def test_what_is_unpacked_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    target = folder_with(tmp_path / "target", {"old": b"1", "kept": b"1"})
    unpack({"kept": b"2", "new/one": b"3"}, target)
    assert packed(target) == {"kept": b"2", "new/one": b"3"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".target")] == []


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "{}/evil", "..", ""])
def test_nothing_is_unpacked_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(KdError):
        unpack({"good": b"1", name.format(tmp_path): b"2"}, tmp_path / "inside/target")
    assert not (tmp_path / "inside/target").exists()
    assert not list(tmp_path.rglob("evil"))


def test_nothing_is_written_where_a_link_leads(study: StudyFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (study.store.root / "other").symlink_to(outside)
    other = StudyFolder(study.store, "other")
    for write in (lambda: other.write_plan("{}"), lambda: other.run("one").write_recipe("")):
        with pytest.raises(KdError, match="is a symbolic link"):
            write()
    assert not list(outside.iterdir())
