"""The entry point: runs a command line, and turns errors into messages and exit codes."""

import sys
from collections.abc import Sequence
from itertools import pairwise

import typer

from kdcli import report as show
from kdcli import workers
from kdcli.cli.help import usage
from kdcli.cli.keeping import app
from kdcli.errors import KdError, UsageError

INTERRUPTED = 130
COMMANDS = tuple(str(command.name) for command in app.registered_commands)


def _refuse_empty(given: Sequence[str]) -> None:
    """Raise `UsageError` for an empty argument, which usually comes from an unset shell variable."""
    for before, word in pairwise(["", *given]):
        option, equals, value = word.partition("=") if word.startswith("--") else (before, "=", word)
        if equals and not value:
            what = f"{option} is" if option.startswith("-") else "one of the arguments is"
            raise UsageError(f"{what} empty", "leave it out, or give it a value")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run kd and exit: 0 done, 1 the command could not do it, 2 wrong usage, 130 interrupted.

    The exit code is 141 if the reader of the output went away, like that of a program ended by SIGPIPE.
    """
    workers.compute_on_one_thread()
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
    try:
        _refuse_empty(given)
        code: int = app(given or ["--help"], prog_name="kd", standalone_mode=False) or 0
        if code != INTERRUPTED:
            return code if given else UsageError.exit_code
        problem = _interruption()
    except show.OutputError:
        raise
    except KdError as error:
        problem, code = error, error.exit_code
        if not problem.hint:
            command = next((f"kd {word}" for word in given if word in COMMANDS), "kd")
            problem.hint = f"see `{command} --help`"
    except typer.TyperException as error:  # what Typer itself finds wrong with the arguments
        problem, code = UsageError(error.format_message(), _usage(error)), error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        problem, code = _interruption(), INTERRUPTED
    show.error(problem, as_json="--json" in given)
    return code


def _usage(error: typer.TyperException) -> str:
    """Return the usage of the command that raised an error; usage errors alone know their command."""
    context = getattr(error, "ctx", None)
    if context is None:
        return "see `kd --help`"
    return f"usage: `{usage(context)}`; see `{context.command_path} --help`"


def _interruption() -> KdError:
    return KdError(
        "interrupted; finished work is kept",
        "run the same command again to resume; training continues from its last saved state",
    )
