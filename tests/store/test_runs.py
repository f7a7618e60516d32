import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import Kd

from kdcli.errors import KdError, UsageError
from kdcli.store import Store

HOLD = """
import sys, time
from pathlib import Path
from kdcli.store import Store
with Store(Path(sys.argv[1])).run(sys.argv[2]).locked():
    print("locked", flush=True)
    time.sleep(60)
"""


def holder(outputs: Path, run: str) -> subprocess.Popen[str]:
    """Start a process that has a run to itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(outputs), run], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "locked\n"
    return process


def test_a_second_process_waits_or_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    run = Store(tmp_path).run("one")
    process = holder(tmp_path, "one")
    try:
        with pytest.raises(KdError, match="another kd is working on run one"), run.locked(wait=False):
            pass
        with Store(tmp_path).run("two").locked(wait=False):
            pass  # another run is free
        process.kill()  # the system frees the lock of a process that died

        def waiting() -> None:
            waited.append(time.monotonic())

        waited: list[float] = []
        with run.locked(waiting=waiting):
            pass
    finally:
        process.kill()
        process.communicate()


def test_no_wait_on_the_command_line(kd: Kd, tiny: Path) -> None:
    process = holder(tiny.parent, "tiny")
    try:
        before = sorted(tiny.rglob("*"))
        outcome = kd("train-teacher", "--no-wait")
        assert outcome.code == 1
        assert "another kd is working on run tiny" in outcome.err
        assert sorted(tiny.rglob("*")) == before
    finally:
        process.kill()
        process.communicate()
    assert kd("train-teacher", "--no-wait").code == 0


def test_leftovers_of_a_command_that_was_cut_off_are_cleared_and_named(kd: Kd, tiny: Path) -> None:
    (tiny / "students/.soft-T4-mlp4.new-x1").mkdir()
    (tiny / "students/.soft-T4-mlp4.new-x1/model.safetensors").write_text("half")
    (tiny / "teacher").rename(tiny / ".teacher.replaced")
    outcome = kd("train-teacher")
    assert outcome.code == 0
    assert "up to date" in outcome.out
    assert (
        "removed leftovers of an interrupted command: .teacher.replaced, .soft-T4-mlp4.new-x1" in outcome.err
    )
    assert not list(tiny.rglob(".*"))
    assert "removed leftovers" not in kd("train-teacher").err


COMMANDS = (["runs"], ["check"], ["show"], ["gen-data"], ["distill"], ["compare"], ["delete", "x", "--yes"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file", "file is not a folder"),
        ("file/below", "file/below cannot be the outputs folder: Not a directory"),
        ("link", "link is a symbolic link that leads nowhere"),
        ("loop", "loop cannot be the outputs folder: Too many levels of symbolic links"),
        ("a" * 300, "aaa cannot be the outputs folder: File name too long"),
    ],
)
def test_a_place_that_can_be_no_outputs_folder(kd: Kd, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for command in COMMANDS:
        outcome = kd(*command, "--outputs", name, "--json")
        assert outcome.code == 1
        document = json.loads(outcome.out)
        assert words in document["error"]
        assert document["hint"] == "name another outputs folder with --outputs DIR"
    assert (tmp_path / "file").read_text() == "mine"


TRAIN = ["train-teacher", "--epochs", "3", "--force"]
DISTILL = ["distill", "--target", "labels", "--epochs", "3", "--force"]


@pytest.mark.parametrize(
    ("name", "command", "words"),
    [
        ("tiny", ["gen-data", "--run", "tiny"], "tiny is not a folder"),
        ("tiny/data", ["gen-data", "--run", "tiny", "--seed", "3", "--force"], "data is not a folder"),
        ("tiny/teacher", TRAIN, "teacher is not a folder"),
        ("tiny/students", DISTILL, "students is not a folder"),
        ("tiny/students/labels-mlp4", DISTILL, "labels-mlp4 is not a folder"),
        ("tiny/figures", ["plot"], "figures is not a folder"),
        (".locks", TRAIN, ".locks is not a folder"),
        ("tiny/compare.json", ["compare"], "compare.json is a folder, not a file"),
        (
            "tiny/figures/differences.svg",
            ["plot", "differences", "--format", "svg"],
            "is a folder, not a file",
        ),
        ("current", ["show"], "current is a folder, not a file"),
        (".locks/tiny", TRAIN, "tiny is a folder, not a file"),
    ],
)
def test_what_is_in_the_way_is_named_and_left_alone(
    kd: Kd, tiny: Path, name: str, command: list[str], words: str
) -> None:
    path = tiny.parent / name
    a_file = "not a file" not in words
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if a_file:
        path.write_text("mine")
    else:
        (path / "mine").mkdir(parents=True)
    for _ in range(2):  # nor is it in the way of the next command
        outcome = kd(*command)
        assert outcome.code == 1
        assert f"{path} is" in outcome.err
        assert words in outcome.err
        assert "move it elsewhere" in outcome.err
    assert path.read_text() == "mine" if a_file else (path / "mine").is_dir()


def test_a_file_that_was_moved_aside_does_not_stop_the_next_command(kd: Kd, tiny: Path) -> None:
    (tiny / ".teacher.replaced").write_text("left of an older kd")
    assert kd("train-teacher").code == 0
    assert not (tiny / ".teacher.replaced").exists()


@pytest.mark.parametrize("name", ["students", "figures", ".resume"])
def test_what_a_link_leads_to_is_not_cleared_up(kd: Kd, tiny: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    (outside / ".soft-T4-mlp4.new-x1").mkdir(parents=True)
    (outside / ".data.replaced").write_text("mine")
    if (tiny / name).exists():
        shutil.rmtree(tiny / name)
    (tiny / name).symlink_to(outside)
    assert "removed leftovers" not in kd("train-teacher").err
    assert sorted(path.name for path in outside.iterdir()) == [".data.replaced", ".soft-T4-mlp4.new-x1"]


def test_nothing_is_written_where_a_link_leads(outputs: Path, tmp_path: Path) -> None:
    run = Store(outputs).run("one")
    run.write_recipe("")
    outside = tmp_path / "outside"
    outside.mkdir()
    for link, write in (
        (run.path / "figures", lambda: run.write_figure("a.png", b"1")),
        (outputs / ".locks", lambda: Store(outputs).make_current("one")),
        (outputs / ".locks", lambda: run.locked().__enter__()),
    ):
        if not link.is_symlink():
            link.symlink_to(outside)
        with pytest.raises(KdError, match="is a symbolic link"):
            write()
    run.recipe_path.unlink()
    run.path.joinpath("figures").unlink()
    run.path.rmdir()
    run.path.symlink_to(outside)
    for write in (lambda: run.write_recipe(""), lambda: run.write_report("report.md", "")):
        with pytest.raises(KdError, match="is a symbolic link"):
            write()
    assert not list(outside.iterdir())


def test_a_recipe_is_a_file_like_any_other(outputs: Path) -> None:
    run = Store(outputs).run("one")
    run.write_recipe("[data]\n")
    assert run.recipe_path.read_bytes() == b"[data]\n"
    run.recipe_path.write_text("[teacher]\n")
    assert run.read_recipe() == b"[teacher]\n"


def test_runs_and_the_current_one(outputs: Path) -> None:
    store = Store(outputs)
    run = store.run("one")
    run.write_recipe("")
    assert store.runs() == ["one"]
    with pytest.raises(KdError, match="no current run"):
        store.existing_run(None)
    store.make_current("one")
    assert store.existing_run(None).path == run.path
    with pytest.raises(UsageError, match=r"no run 'onee'; did you mean one\?"):
        store.existing_run("onee")


def test_a_marker_that_cannot_be_read(outputs: Path) -> None:
    (outputs / "current").mkdir(parents=True)
    with pytest.raises(KdError, match="cannot use"):
        Store(outputs).existing_run(None)


@pytest.mark.parametrize("name", ["", "../x", "/x", ".hidden", "a/b/c", "a\nb", "x" * 101, "current"])
def test_names_that_no_run_may_have(outputs: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Store(outputs).run(name)
