"""Running programs on a file that was just exported, each in a process of its own."""

from __future__ import annotations

import subprocess

from kdcli.exports.kind import NotAtHandError

REPORT = "this is a bug in kd, please report it; nothing was written"
PATIENCE = 600  # seconds that a program may run


def ran(command: list[str], content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a program with this input; raises `NotAtHandError` if it does not start or takes too long."""
    try:
        return subprocess.run(  # noqa: S603 - a compiler or an interpreter, and what was just exported
            command, input=content, capture_output=True, timeout=PATIENCE, check=False
        )
    except OSError as error:
        raise NotAtHandError(f"{command[0]} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NotAtHandError(f"{command[0]} took more than {PATIENCE} s") from None


def last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the error message of a program, or its exit status if it has none."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if "error" in line.lower()] or lines
    return errors[-1] if errors else f"its exit status is {done.returncode}"


def version_of(program: list[str]) -> str:
    """Return the version that a program prints, on its first line."""
    lines = ran([*program, "--version"]).stdout.decode(errors="replace").splitlines()
    return lines[0] if lines else "of unknown version"
