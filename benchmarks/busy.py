"""How long kd takes while another process is busy on the same machine, compared with its time without it.

    python benchmarks/busy.py

Prints, for each command, the median seconds of whole processes without and with a busy process at the same
time, measured alternately, and the ratio. Threads that wait by spinning would give a ratio of 10 or more.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

COMMANDS = (
    ("kd run gaussians", (), ("run", "gaussians")),
    ("kd train-teacher, digits", ("gen-data", "digits"), ("train-teacher",)),
    ("kd train-teacher, moons", ("gen-data", "moons"), ("train-teacher",)),
)
PAIRS = 3


@contextmanager
def busy() -> Iterator[None]:
    """Keep one processor busy."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def kd(folder: str, *arguments: str) -> float:
    """Run kd and return the seconds it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "kdcli", *arguments, "--outputs", folder, "--quiet"]
    subprocess.run(command, check=True)  # noqa: S603
    return time.perf_counter() - start


def seconds(before: tuple[str, ...], command: tuple[str, ...]) -> float:
    """Return the seconds of a command in a new outputs folder, after the commands that it needs."""
    folder = tempfile.mkdtemp()
    try:
        if before:
            kd(folder, *before)
        return kd(folder, *command)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Print a line for each command."""
    for name, before, command in COMMANDS:
        quiet, beside = [], []
        for _ in range(PAIRS):
            quiet.append(seconds(before, command))
            with busy():
                beside.append(seconds(before, command))
        alone, shared = statistics.median(quiet), statistics.median(beside)
        print(f"{name:28} {alone:6.2f} s   busy {shared:6.2f} s   ratio {shared / alone:.2f}", flush=True)


if __name__ == "__main__":
    main()
