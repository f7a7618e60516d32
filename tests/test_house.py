"""The house in order: linter, format, types and layers, and a README that tells the truth."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Kd

from kdcli.targets import TARGETS

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache"],
        ["ruff", "format", "--check", "--no-cache"],
        ["mypy", "--cache-dir=/dev/null"],
        ["lint-imports", "--no-cache"],
    ],
    ids=["lint", "format", "types", "layers"],
)
def test_checks(command: list[str]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_gate_runs_the_first_code_block_of_the_readme() -> None:
    block = README.split("```")[1].strip().splitlines()
    assert block == [
        "pip install -c constraints.txt . && kd run",
        "pip install -c constraints.txt '.[test]' && pytest",
    ]
    assert "README.md" in (ROOT / ".ci/run").read_text()


def test_commands_and_options_of_the_readme_exist(kd: Kd) -> None:
    lines = re.findall(r"^kd (.+)$", README, flags=re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        command, *words = line.split()
        help_text = kd(command, "--help").out
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, line


def test_the_readme_tells_of_every_target() -> None:
    for name, target in TARGETS.items():
        assert f"| `{name}` | {target.summary} |" in README
