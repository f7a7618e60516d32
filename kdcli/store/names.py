"""Names of what the store holds: runs, studies, student sets."""

from __future__ import annotations

import hashlib
import re

from kdcli.errors import UsageError

LONGEST = 100  # characters of a name
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")
RUN_NAME = re.compile(rf"({NAME.pattern}/)?{NAME.pattern}")  # of a run, which may be one of a study
CURRENT = "current"  # the file that names the current run


def fitting(name: str) -> str:
    """Return a name that is made of others as it is, or, if it is too long, with a digest for its end."""
    return name if len(name) <= LONGEST else _with_digest(name, name)


def spelled(text: str) -> str:
    """Return text of any characters as part of a name; if that changes it, a digest keeps it apart."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return text if plain == text else _with_digest(plain, text)


def _with_digest(name: str, of: str) -> str:
    end = hashlib.sha256(of.encode()).hexdigest()[:16]
    return f"{name[: LONGEST - 1 - len(end)]}-{end}"


def check_run_name(name: str, kind: str) -> None:
    """Raise `UsageError` unless a run may be named so: as in STUDY/NAME, there may be one level."""
    _check(RUN_NAME, name, kind)


def check_name(name: str, kind: str) -> None:
    """Raise `UsageError` unless a study or student set may be named so."""
    _check(NAME, name, kind)


def check_not_current(name: str, kind: str) -> None:
    """Raise `UsageError` for a folder that would stand where the marker of the current run does."""
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
