import os
import shutil
from pathlib import Path

import pytest

from kdcli.errors import KdError
from kdcli.store import Run, Store, remove_run, root_leftovers


@pytest.fixture
def run(outputs: Path) -> Run:
    store = Store(outputs)
    for name in ("one", "two"):
        made = store.run(name)
        made.write_recipe("")
        made.write_figure("a.png", b"1")
    store.make_current("one")
    return store.run("one")


def test_only_the_run_goes_and_the_marker_with_it(run: Run) -> None:
    two = run.store.run("two")
    remove_run(two)
    assert run.store.runs() == ["one"]
    assert run.store.current == "one"
    remove_run(run)
    assert os.listdir(run.store.root) == [".locks"]


def test_a_run_that_became_the_current_one_stays_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = Path.rename

    def rename(path: Path, target: Path) -> None:
        renamed(path, target)
        run.store.make_current("two")  # as another kd may meanwhile

    monkeypatch.setattr(Path, "rename", rename)
    remove_run(run)
    assert run.store.current == "two"


def test_links_in_it_are_removed_and_what_they_lead_to_stays(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    (run.path / "data").symlink_to(kept)
    (run.path / "file").symlink_to(kept / "file")
    remove_run(run)
    assert (kept / "file").read_text() == "mine"


def test_a_link_itself_is_refused(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    run.path.rename(target)
    run.path.symlink_to(target)
    with pytest.raises(KdError, match="is a link, or no longer a folder"):
        remove_run(run)
    assert (target / "recipe.toml").is_file()


def test_killed_while_removing_it_leaves_a_hidden_rest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path) -> None:
        (path / "figures/a.png").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_run(run)
    assert run.store.runs() == ["two"]
    assert run.store.current == ""
    (rest,) = root_leftovers(run.store)
    assert rest.name.startswith(".one.deleted-")


def test_what_cannot_be_moved_stays_whole(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(KdError, match="Permission denied"):
        remove_run(run)
    assert (run.path / "figures/a.png").is_file()
    assert run.store.current == "one"


def test_what_cannot_be_emptied_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(KdError, match="run one is deleted, but") as problem:
        remove_run(run)
    assert f"rm -r {root_leftovers(run.store)[0]}" in problem.value.hint
