"""The short form of `benchmarks/kill.py`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import TINY, Kd

pytestmark = pytest.mark.long

BENCHMARK = Path(__file__).parent.parent / "benchmarks/kill.py"


def test_a_run_that_dies_while_it_writes_ends_in_the_same_bits_when_it_runs_again() -> None:
    done = subprocess.run([sys.executable, BENCHMARK, "each", "60"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    died = [line for line in done.stdout.splitlines() if line.startswith("died")]
    assert len(died) >= 3
    assert all(line.endswith("ended True, same True, damaged 0") for line in died)


def test_processes_that_collide_on_a_run_wait_for_each_other(kd: Kd, outputs: Path) -> None:
    Path("tiny.toml").write_text(TINY)
    command = [sys.executable, "-m", "kdcli", "run", "tiny.toml"]
    names = ["one", "one", "one", "two"]
    started = [
        subprocess.Popen([*command, "--run", name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    ended = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * len(names), ended
    waits = [err.count("another kd is working on run one; waiting") for _, err in ended]
    assert waits[3] == 0
    assert sum(waits) >= 1
    checked = json.loads(kd("check", "--json").out)
    assert checked["damaged"] == 0
    assert [run["run"] for run in checked["runs"]] == ["one", "two"]
    assert not any(run["leftovers"] for run in checked["runs"])
