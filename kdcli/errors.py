"""Everything that can go wrong for a user, as one family of exceptions, and the remedies as data.

The command line turns a `KdError` into a message and an exit code. Any other exception is a programming
error and keeps its traceback. A remedy may be a command: library code names it as a `Command`, and
`commands` spells it where it is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Command:
    """A command of kd as data.

    `options` are named by the keys of settings or by their flags without dashes; True gives a bare flag, and
    options that are None, False or empty are left out. `run` is the run to work on, `outputs` the folder that
    holds it; empty and None mean the defaults of the command line.
    """

    name: str
    arguments: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""
    outputs: Path | None = None

    def adding(self, **options: Any) -> "Command":
        """Return the command with further options."""
        return replace(self, options={**self.options, **options})


Text: TypeAlias = str | tuple[str | Command, ...]
"""A text for a person that may contain commands."""


class KdError(Exception):
    """The command could not do its work; exit code 1.

    `message` says what was wrong, `hint` what is allowed or which command to run next.
    """

    exit_code = 1

    def __init__(self, message: str, hint: Text = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(KdError):
    """The command was asked for something that it does not offer; exit code 2."""

    exit_code = 2


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Suggest the allowed name nearest to a mistyped one, as the end of a sentence; empty if none is near.

    A name of three letters or more also matches the first allowed name that begins with it.
    """
    from difflib import get_close_matches  # imported late, since help pages do not need it

    names = list(allowed)
    begun = [known for known in names if len(name) >= 3 and known.startswith(name)]
    matches = begun or get_close_matches(name, names, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def unknown(kind: str, name: str, allowed: Iterable[str], hint: Text = "") -> UsageError:
    """Build the error for a name that is not among the `allowed` ones, with the nearest one suggested."""
    names = list(allowed)
    several = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    known = f"{several}: {', '.join(names)}" if names else f"there is no {kind} yet"
    more = (hint,) if isinstance(hint, str) else hint
    return UsageError(
        f"no {kind} '{name}'{nearest(name, names)}", joined(known + ". ", *more) if hint else known
    )


def joined(*parts: Text | Command) -> Text:
    """Concatenate texts and commands into one text."""
    flat: list[str | Command] = []
    for part in parts:
        flat += [part] if isinstance(part, (str, Command)) else part
    return "".join(map(str, flat)) if all(isinstance(part, str) for part in flat) else tuple(flat)
