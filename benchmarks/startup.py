"""How fast kd starts, compared with another installation of it.

    python benchmarks/startup.py [TIMES] [--versus PATH]

Prints the median seconds of whole processes, by default 20 of each command, in an empty outputs folder. With
`--versus`, the `kd` at that path runs alternately with this one, and the ratio is this one's median over the
other's: below 1, this one is faster.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = ("--help", "distill --help", "runs")


def seconds(kd: Path, command: str) -> float:
    """Return the seconds that a command takes, from the start of its process to the end."""
    start = time.perf_counter()
    subprocess.run([kd, *command.split()], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description="Measure how fast kd answers.")
    parser.add_argument("times", nargs="?", type=int, default=20)
    parser.add_argument("--versus", type=Path, metavar="PATH", help="the `kd` of another installation")
    options = parser.parse_args()
    installed = [Path(sys.executable).parent / "kd", *([options.versus.resolve()] if options.versus else [])]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KD_OUTPUTS"] = folder
        for command in COMMANDS:
            for kd in installed:
                seconds(kd, command)  # writes the bytecode, fills the disk's cache
            rounds = [[seconds(kd, command) for kd in installed] for _ in range(options.times)]
            medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
            ratio = f"   ratio {medians[0] / medians[1]:.2f}" if options.versus else ""
            print(f"kd {command:16}" + "".join(f"{median:8.3f} s" for median in medians) + ratio, flush=True)


if __name__ == "__main__":
    main()
