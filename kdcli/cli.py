"""The command line: where a line is run, and errors become messages and exit codes."""

import gc
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import typer

from kdcli import report as show
from kdcli import workers
from kdcli.errors import KdError, UsageError
from kdcli.subcommands import app

INTERRUPTED = 130
GARBAGE = 100_000  # objects made before the collector looks again: imports make that many, and no garbage
COMMANDS = tuple(str(command.name) for command in app.registered_commands)


def _refuse_empty(given: Sequence[str]) -> None:
    """Raise `UsageError` for an empty argument: an unset variable of a script, never what is meant."""
    for before, word in pairwise(["", *given]):
        option, equals, value = word.partition("=") if word.startswith("--") else (before, "=", word)
        if equals and not value:
            what = f"{option} is" if option.startswith("-") else "one of the arguments is"
            raise UsageError(f"{what} empty", "leave it out, or give it a value")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run kd and exit: 0 done, 1 the command could not do it, 2 wrong usage, 130 interrupted.

    The exit code is 141 if the reader of the output went away, as of a program that SIGPIPE ends.
    """
    workers.compute_on_one_thread()
    gc.set_threshold(GARBAGE)
    given = list(sys.argv[1:] if arguments is None else arguments)
    with show.outlets():
        try:
            code = _outcome(given)
            show.flush()
        except show.OutputError as error:
            show.error(error, as_json=False)
            code = error.exit_code
    sys.exit(code)


def _outcome(given: list[str]) -> int:
    """Run a command line, report what went wrong, and return the exit code."""
    as_json = "--json" in given
    code: Any
    try:
        _refuse_empty(given)
        code = app(given or ["--help"], prog_name="kd", standalone_mode=False)
        if not given:
            code = UsageError.exit_code
    except show.OutputError:
        raise
    except KdError as error:
        if not error.hint:
            command = next((word for word in given if word in COMMANDS), "")
            error.hint = f"see `kd {command} --help`".replace("  ", " ")
        show.error(error, as_json=as_json)
        code = error.exit_code
    except typer.TyperException as error:  # what Typer itself finds wrong with the arguments
        # Only usage errors know the command they came from.
        command = getattr(getattr(error, "ctx", None), "command_path", "kd")
        show.error(UsageError(error.format_message(), f"see `{command} --help`"), as_json=as_json)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        message = "interrupted; what was finished is kept"
        show.error(
            KdError(
                message, "run the same command again: it goes on from there, a training from its last state"
            ),
            as_json=as_json,
        )
    return code or 0
