"""The output of commands: text for people, one JSON document, progress, and errors."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from kdcli.commands import text
from kdcli.errors import KdError
from kdcli.errors import Text as Advice
from kdcli.report.layout import STYLES, draw
from kdcli.report.table import Table
from kdcli.report.terminal import console, fitted, print_file
from kdcli.report.told import File, Line, Result, Told
from kdcli.store import Run, is_current, named_run, to_json

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from kdcli.progress import Report

BAR = 10  # least width at which a progress bar is worth its place


@dataclass(frozen=True)
class Screen:
    """The output of a command: text to stdout unless quiet or JSON, progress to stderr."""

    quiet: bool = False
    as_json: bool = False

    def show(self, result: Result, **more: Any) -> None:
        """Print a command's result: as text for a person, or as a JSON document with `more`."""
        if not (self.quiet or self.as_json):
            self.tell(*result.told())
        if self.as_json:
            self.document({**result.document(), **more})

    def tell(self, *parts: Told) -> None:
        """Print lines and tables for a person; in a narrow terminal, tables become lists."""
        for told in parts if not (self.quiet or self.as_json) else ():
            match told:
                case Table():
                    draw(told)
                case File():
                    print_file(told.text)
                case Line():
                    words = fitted(text(told.text))
                    console().print(words, soft_wrap=not told.wrap, style=STYLES[told.emphasis])
                case _:
                    console().print(fitted(told), soft_wrap=True)

    def say(self, words: str = "") -> None:
        """Print a line for a person without wrapping it, so that a path or a command can be copied."""
        self.tell(words)

    def hint(self, words: Advice) -> None:
        """Print a message for a person on stderr, apart from the results."""
        if not self.quiet:
            console(stderr=True).print(text(words), soft_wrap=True)

    def working_on(self, run: Run) -> None:
        """Say on stderr which run a command works on, before it works; with JSON only on a terminal."""
        named = named_run()
        if named is None:
            why = ", the current one" if is_current(run) else ""
        else:
            why = " (set by KD_RUN)" if named == run.name else f", not {named} set by KD_RUN"
        if not self.as_json or console(stderr=True).is_terminal:
            self.hint(f"working on run {run.name}{why}")

    def confirmed(self, question: str) -> bool:
        """Ask a person on stderr; any answer but yes is no, and end of input is an interruption."""
        console(stderr=True).print(f"{question} [y/N]: ", soft_wrap=True, end="")
        answer = sys.stdin.readline()
        if not answer:
            self.hint("")
            raise KeyboardInterrupt
        return answer.strip().lower() in ("y", "yes")

    def document(self, document: Mapping[str, Any]) -> None:
        """Print the JSON document of a command, if JSON was asked for."""
        if self.as_json:
            print(json.dumps(to_json(document), indent=2, allow_nan=False))

    @contextmanager
    def watch(self, title: str, total: int, unit: str, steps: int) -> Iterator["Report"]:
        """Show a progress bar with the loss, if there is one, and the time left, if stderr is a terminal.

        `total` is the number of units, such as epochs, trees or images; each has so many `steps`.
        """
        from rich import progress

        terminal = console(stderr=True)
        longest = len(_at(0, total, unit, steps)) + len(str(total))
        bar = progress.Progress(
            *_that_fit(
                terminal.width,
                (progress.TextColumn("{task.description}"), len(title), 4),
                (progress.BarColumn(), BAR, 5),
                (progress.TextColumn("{task.fields[at]}"), longest, 1),
                (progress.TextColumn("{task.fields[loss]}"), len("loss -1.234e-05"), 2),
                (progress.TimeRemainingColumn(), len("0:00:00"), 3),
            ),
            console=terminal,
            transient=True,
            disable=self.quiet or not terminal.is_terminal,
            refresh_per_second=5,
        )
        with bar:
            task = bar.add_task(title, total=total * steps, at="", loss="")
            yield _Training(self, bar, task, total, unit, steps)

    @contextmanager
    def runs(self, total: int) -> Iterator["_Runs"]:
        """On a terminal, show how many runs are finished, running and failed, and the time left."""
        from rich import progress

        terminal = console(stderr=True)
        bar = progress.Progress(
            *_that_fit(
                terminal.width,
                (progress.TextColumn("{task.completed} of {task.total} runs"), 2 * len(str(total)) + 8, 1),
                (progress.BarColumn(), BAR, 4),
                (progress.TextColumn("{task.description}"), len("99 running, 999 failed"), 2),
                (progress.TimeRemainingColumn(), len("0:00:00"), 3),
            ),
            console=terminal,
            transient=True,
            disable=self.quiet or not terminal.is_terminal,
        )
        with bar:
            yield _Runs(bar, bar.add_task("", total=total))

    @contextmanager
    def download(self, title: str) -> Iterator["_Download"]:
        """Show the progress bar of a download, if stderr is a terminal."""
        from rich import progress

        terminal = console(stderr=True)
        bar = progress.Progress(
            *_that_fit(
                terminal.width,
                (progress.TextColumn("downloading {task.description}"), len(f"downloading {title}"), 3),
                (progress.BarColumn(), BAR, 4),
                (progress.DownloadColumn(), len("999.9/999.9 MB"), 1),
                (progress.TimeRemainingColumn(), len("0:00:00"), 2),
            ),
            console=terminal,
            transient=True,
            disable=self.quiet or not terminal.is_terminal,
        )
        with bar:
            yield _Download(bar, title)


@dataclass(frozen=True)
class _Training:
    """The progress bar of a training; called with the steps done and the loss."""

    screen: Screen
    bar: Any
    task: Any
    total: int
    unit: str
    steps: int

    def __call__(self, done: int, loss: float | None) -> None:
        at = _at(done, self.total, self.unit, self.steps)
        self.bar.update(self.task, completed=done, at=at, loss="" if loss is None else f"loss {loss:.4g}")

    def resumed(self, epoch: int) -> None:
        self.screen.hint(f"resuming at {self.unit} {epoch}")


def _at(done: int, total: int, unit: str, steps: int) -> str:
    """Write the progress of a training, such as "epoch 3/60, batch 12/40"."""
    whole, batches = divmod(done, steps)
    if steps > 1 and whole < total:
        return f"{unit} {whole + 1}/{total}, batch {batches:,}/{steps:,}"
    return f"{unit} {whole}/{total}"


def _that_fit(width: int, *columns: tuple["ProgressColumn", int, int]) -> list["ProgressColumn"]:
    """Return the columns of a progress bar that fit into a terminal.

    Each column comes with its width in characters and its rank; the lowest ranks are kept.
    """
    kept: list[ProgressColumn] = []
    for column, needed, _ in sorted(columns, key=lambda given: given[2]):
        width -= needed + 1
        if width >= 0 or not kept:
            kept.append(column)
    return [column for column, _, _ in columns if column in kept]


@dataclass(frozen=True)
class _Runs:
    """The progress line of a sweep; called with the numbers of finished, running and failed runs."""

    bar: Any
    task: Any

    def __call__(self, over: int, at_work: int, failed: int) -> None:
        told = f"{at_work} running" + (f", {failed} failed" if failed else "")
        self.bar.update(self.task, completed=over, description=told)


class _Download:
    """The progress bar of a download: set `total` in bytes, then update it with each part that arrives."""

    def __init__(self, bar: Any, title: str) -> None:
        self._bar = bar
        self._task = bar.add_task(title, total=None)
        self.total = 0

    def update(self, arrived: int) -> None:
        self._bar.update(self._task, total=self.total or None, advance=arrived)

    def reset(self) -> None:
        self._bar.reset(self._task, total=self.total or None)

    def close(self) -> None:
        pass


def error(problem: KdError, *, as_json: bool) -> None:
    """Report what went wrong: on stderr for a person, as JSON on stdout for a program."""
    if as_json:
        print(json.dumps(to_json({"error": problem.message, "hint": text(problem.hint)}), indent=2))
        return
    terminal = console(stderr=True)
    terminal.print(Text("error: ", style="bold red") + Text(problem.message), soft_wrap=True)
    if problem.hint:
        terminal.print(Text("hint:  ", style="bold") + Text(text(problem.hint)), soft_wrap=True)
