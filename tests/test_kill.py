"""The short form of `benchmarks/kill.py`."""

import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parent.parent / "benchmarks/kill.py"


def test_a_run_that_dies_while_it_writes_ends_in_the_same_bits_when_it_runs_again() -> None:
    done = subprocess.run([sys.executable, BENCHMARK, "each", "60"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    died = [line for line in done.stdout.splitlines() if line.startswith("died")]
    assert len(died) >= 3
    assert all(line.endswith("same True, damaged 0") for line in died)
