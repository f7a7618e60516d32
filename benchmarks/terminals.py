"""Run kd's commands under many encodings, widths and states of the standard streams, and print tables.

python benchmarks/terminals.py     takes about three minutes

A cell is the exit code. It is marked with ! if the code is not as expected, if the output is a traceback or
empty, if it is not in its encoding, or if a number of the widest output is cut at another width.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ENCODINGS = ("utf-8", "cp1252", "cp437", "latin-1", "ascii", "C locale")
WIDTHS = ("300", "80", "60", "40", "20", "0")
RECIPE = """
[data]
dataset = "moons"
n_samples = 200
n_test = 400
[teacher]
epochs = 5
[students]
models = ["mlp:4", "tree:max_depth=3,max_leaf_nodes=6"]
targets = ["labels", "smooth", "soft"]
seeds = 2
epochs = 5
"""
COMMANDS = {
    "kd": 2,
    "kd --help": 0,
    "kd distill --help": 0,
    "kd runs": 0,
    "kd show": 0,
    "kd distill": 0,
    "kd plot learning-curves": 0,
    "kd compare": 0,
    "kd compare --csv": 0,
    "kd compare --json": 0,
    "kd check": 0,
    "kd gen-data möönz–実": 2,
    "kd show --run möönz–実 --json": 2,
}
STREAMS = {
    "kd delete größe <&-": 2,
    "kd runs <&-": 0,
    "kd compare >/dev/full": 1,
    "kd compare --json >/dev/full": 1,
    "kd --help >/dev/full": 1,
    "kd nonsense --json >/dev/full": 1,
    "kd nonsense 2>/dev/full": 2,
    "kd show >&-": 0,
    "kd show 2>&-": 0,
    "kd nonsense 2>&-": 2,
    "kd compare | true": 141,
    "kd compare --json | true": 141,
    "kd --help | true": 141,
}
SILENT = ("2>/dev/full", "2>&-", ">&-", "| true")  # the output may be empty here


def run(command: str, encoding: str = "utf-8", columns: str = "80") -> tuple[int, bytes]:
    """Run a shell command; returns the exit code, and the output on both streams."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    given = locale if encoding == "C locale" else {"PYTHONIOENCODING": encoding}
    kd = f"{shlex.quote(sys.executable)} -m kdcli"
    done = subprocess.run(  # noqa: S603
        ["bash", "-o", "pipefail", "-c", re.sub(r"\bkd\b", kd, command, count=1)],  # noqa: S607
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": columns, **given},
        check=False,
    )
    return done.returncode, done.stdout


def cell(command: str, code: int, expected: int, output: bytes, encoding: str = "utf-8") -> str:
    """Return the exit code, marked if the outcome is not as it should be."""
    try:
        text = output.decode("ascii" if encoding == "C locale" else encoding)
    except UnicodeDecodeError:
        return f"{code}!"
    silent = any(command.endswith(end) for end in SILENT)
    wrong = code != expected or "Traceback" in text or "Exception" in text or not (text or silent)
    return f"{code}{'!' if wrong else ''}"


def cut(widest: str, text: str) -> bool:
    """Whether a text lacks a number of the widest text, or has more ellipses."""
    numbers = set(re.findall(r"\d[\d,.]*\d", widest)) - set(re.findall(r"\d[\d,.]*\d", text))
    return bool(numbers) or text.count("…") > widest.count("…")


def main() -> None:
    """Make a small run, and print the tables."""
    os.chdir(tempfile.mkdtemp())
    os.environ["KD_OUTPUTS"] = "größe–実験"
    Path("größe.toml").write_text(RECIPE, encoding="utf-8")
    made, output = run("kd run größe.toml --run small --quiet")
    if made:
        sys.exit(output.decode())
    wide = max(map(len, [*COMMANDS, *STREAMS])) + 2
    print("exit codes by encoding".ljust(wide), *(name.rjust(9) for name in ENCODINGS))
    for command, expected in COMMANDS.items():
        outcomes = [(name, *run(command, name)) for name in ENCODINGS]
        cells = [cell(command, code, expected, out, name) for name, code, out in outcomes]
        print(command.ljust(wide), *(text.rjust(9) for text in cells), flush=True)
    print("\n" + "exit codes by COLUMNS".ljust(wide), *(columns.rjust(9) for columns in WIDTHS))
    for command, expected in COMMANDS.items():
        cells, widest = [], ""
        for columns in WIDTHS:
            code, out = run(command, columns=columns)
            widest = widest or out.decode()
            # Latencies are measured each time, so the numbers of costs are not compared.
            same = [re.sub(r"(?s)cost of.*?\n(?=\S+\n•)", "", text) for text in (widest, out.decode())]
            lost = "--json" not in command and "--csv" not in command and cut(*same)
            text = cell(command, code, expected, out)
            cells.append(text if not lost else text.rstrip("!") + "!")
        print(command.ljust(wide), *(text.rjust(9) for text in cells), flush=True)
    print("\nexit codes by the state of the standard streams")
    for command, expected in STREAMS.items():
        code, out = run(command)
        print(command.ljust(wide), cell(command, code, expected, out).rjust(9), flush=True)


if __name__ == "__main__":
    main()
