import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from harness import Kd

from kdcli.errors import KdError
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
        "cleared up after a command that was cut off: .teacher.replaced, .soft-T4-mlp4.new-x1" in outcome.err
    )
    assert not list(tiny.rglob(".*"))
    assert kd("train-teacher").err == ""


@pytest.mark.parametrize("name", ["students", "figures", ".resume"])
def test_what_a_link_leads_to_is_not_cleared_up(kd: Kd, tiny: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    (outside / ".soft-T4-mlp4.new-x1").mkdir(parents=True)
    (outside / ".data.replaced").write_text("mine")
    if (tiny / name).exists():
        shutil.rmtree(tiny / name)
    (tiny / name).symlink_to(outside)
    assert kd("train-teacher").err == ""
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


def test_no_byte_of_a_recipe_changes_unseen(outputs: Path) -> None:
    run = Store(outputs).run("one")
    run.write_recipe('[data]\ndataset = "gaussians"\nseed = 10\n')
    whole = run.recipe_path.read_bytes()
    assert run.read_recipe().encode() == whole
    below = len(whole.splitlines()[0]) + 1
    for k in range(len(whole)):
        for bit in (1, 2, 16):
            run.recipe_path.write_bytes(whole[:k] + bytes([whole[k] ^ bit]) + whole[k + 1 :])
            if k >= below:
                with pytest.raises(KdError, match="is damaged, or was edited"):
                    run.read_recipe()
            else:  # what was its first line may be a comment like any other now
                with suppress(KdError):
                    assert run.read_recipe().encode()[below:] == whole[below:]


def test_a_recipe_without_its_digest_is_taken_as_it_is(outputs: Path) -> None:
    run = Store(outputs).run("one")
    run.write_recipe("")
    run.recipe_path.write_text("[data]\n")
    assert run.read_recipe() == "[data]\n"
