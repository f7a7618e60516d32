import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdcli.training.parts import MEMBERS, NUMBERS, parts_of


@pytest.mark.parametrize("seeds", [1, 2, 3, 10, 37])
@pytest.mark.parametrize("sets", [1, 5, 70])
@pytest.mark.parametrize("parameters", [22, 8_000, 80_000, 10**7])
def test_parts_hold_every_seed_once_in_order_and_are_neither_few_nor_large(
    seeds: int, sets: int, parameters: int
) -> None:
    parts = parts_of(range(seeds), sets, parameters)
    assert [seed for part in parts for seed in part] == list(range(seeds))
    assert len(parts) >= min(2, seeds)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    if min(sizes) > 1:
        assert max(sizes) * sets <= 2 * MEMBERS
        assert (max(sizes) - 1) * sets * parameters <= NUMBERS


def test_the_students_of_the_built_in_recipes_fill_two_workers() -> None:
    assert parts_of(range(10), 5, 22) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert parts_of(range(10), 7, 8_070) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


PROGRAM = """
import sys
from kdcli.cli.main import main
from kdcli.training import resuming
resuming.SECONDS, resuming.SHARE = 0.05, 1e9
main(sys.argv[1:])
"""
# Enough work for workers to be worth it: 12 students in two parts.
MANY = ("distill", "--target", "labels,hard,soft", "--seeds", "4", "--epochs", "9000", "--force")


def start(jobs: int) -> subprocess.Popen[str]:
    """Start kd in a process of its own, with so many workers and its states kept every now and then."""
    environment = {**os.environ, "KD_JOBS": str(jobs)}
    command = [sys.executable, "-c", PROGRAM, *MANY]
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL
    )


def tensors(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes() for path in (run / "students").rglob("*.safetensors")
    }


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
def test_the_number_of_workers_changes_no_bit_nor_does_going_on_under_another(tiny: Path) -> None:
    made = []
    for jobs in (1, 2):
        with start(jobs) as process:
            assert process.wait() == 0
        made.append(tensors(tiny))
    assert made[0] == made[1]
    states = [tiny / f".resume/students-mlp4.{part}" for part in (0, 1)]
    for jobs, others in ((2, 1), (1, 4)):
        for folder in (tiny / "students").iterdir():
            shutil.rmtree(folder)
        with start(jobs) as process:
            while not (states[0].exists() and (jobs == 1 or states[1].exists())):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert not list((tiny / "students").glob("*/meta.json"))
        with start(others) as process:
            assert process.stderr is not None
            told = process.stderr.read()
            assert process.wait() == 0
        assert "resuming at epoch" in told
        assert tensors(tiny) == made[0]
