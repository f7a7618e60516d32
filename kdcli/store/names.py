"""Names of runs, studies and student sets in the store."""

from __future__ import annotations

import hashlib
import re

from kdcli.errors import UsageError

LONGEST = 100  # characters of a name
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")
RUN_NAME = re.compile(rf"({NAME.pattern}/)?{NAME.pattern}")  # STUDY/NAME for a run of a study
CURRENT = "current"  # the file that names the current run


def fitting(name: str) -> str:
    """Return a composed name unchanged, or, if it is too long, with its end replaced by a digest."""
    return name if len(name) <= LONGEST else _with_digest(name, name)


def spelled(text: str) -> str:
    """Write any text as part of a name; if characters must change, a digest keeps the name distinct."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return text if plain == text else _with_digest(plain, text)


def _with_digest(name: str, of: str) -> str:
    end = hashlib.sha256(of.encode()).hexdigest()[:16]
    return f"{name[: LONGEST - 1 - len(end)]}-{end}"


def check_run_name(name: str, kind: str) -> None:
    """Raise `UsageError` unless a run may have this name, which may be of the form STUDY/NAME."""
    _check(RUN_NAME, name, kind)


def check_name(name: str, kind: str) -> None:
    """Raise `UsageError` unless a study or student set may have this name."""
    _check(NAME, name, kind)


def check_not_current(name: str, kind: str) -> None:
    """Raise `UsageError` for the name of the file that marks the current run."""
    if name == CURRENT:
        raise UsageError(f"a {kind} cannot be named '{CURRENT}': the file of that name marks the current run")


def _check(allowed: re.Pattern[str], name: str, kind: str) -> None:
    if not allowed.fullmatch(name):
        shown = name if len(name) <= 40 else name[:40] + "…"
        raise UsageError(
            f"{shown!r} cannot name a {kind}",
            f"a name has up to {LONGEST} letters, digits, dots, dashes and underscores; a letter or digit "
            "first",
        )
