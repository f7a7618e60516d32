"""Everything that can go wrong for a user, as one family of exceptions.

The command line turns a `KdError` into a message and an exit code. Any other
exception is a programming error and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class KdError(Exception):
    """The command could not do its work; exit code 1.

    `message` says what was wrong, `hint` what is allowed or which command to run next.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(KdError):
    """The command was asked for something that it does not offer; exit code 2."""

    exit_code = 2


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Suggest the allowed name nearest to a mistyped one, as the end of a sentence; empty if none is near."""
    matches = get_close_matches(name, list(allowed), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def unknown(kind: str, name: str, allowed: Iterable[str], hint: str = "") -> UsageError:
    """Build the error for a name that is not among the `allowed` ones, with the nearest one suggested."""
    names = list(allowed)
    known = f"{kind}s: {', '.join(names)}" if names else f"there is no {kind} yet"
    return UsageError(f"no {kind} '{name}'{nearest(name, names)}", f"{known}. {hint}" if hint else known)
