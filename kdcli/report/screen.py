"""Where output goes: people's words, one JSON document, progress, and errors."""

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

BAR = 10  # characters that a progress bar is worth its place with


@dataclass(frozen=True)
class Screen:
    """Where output goes: people's words to stdout unless quiet or JSON, progress to stderr."""

    quiet: bool = False
    as_json: bool = False

    def show(self, result: Result, **more: Any) -> None:
        """Print what a command came to: to a person what it tells, to a program its document with `more`."""
        if not (self.quiet or self.as_json):
            self.tell(*result.told())
        if self.as_json:
            self.document({**result.document(), **more})

    def tell(self, *parts: Told) -> None:
        """Print lines and tables for a person: a table as a list in a narrow terminal."""
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
        """Print a line for a person, whole so that a path or a command can be copied."""
        self.tell(words)

    def hint(self, words: Advice) -> None:
        """Tell a person on stderr of what goes on, apart from the results."""
        if not self.quiet:
            console(stderr=True).print(text(words), soft_wrap=True)

    def working_on(self, run: Run) -> None:
        """Say on stderr which run a command works on, before it works; with JSON only on a terminal."""
        named = named_run()
        if named is None:
            why = ", the current one" if is_current(run) else ""
        else:
            why = ", as KD_RUN says" if named == run.name else f", not on {named} as KD_RUN says"
        if not self.as_json or console(stderr=True).is_terminal:
            self.hint(f"working on run {run.name}{why}")

    def confirmed(self, question: str) -> bool:
        """Ask a person on stderr; whatever is not yes is no, and no answer at all is an interruption."""
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
        """Show a progress bar with the loss, if there is one, and the time left, where stderr is a terminal.

        There are a `total` of units, such as epochs, trees or images, each of so many `steps`.
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
        """Show a line with the runs that are done, at work and failed, and the time left, on a terminal."""
        from rich import progress

        terminal = console(stderr=True)
        bar = progress.Progress(
            *_that_fit(
                terminal.width,
                (progress.TextColumn("{task.completed} of {task.total} runs"), 2 * len(str(total)) + 8, 1),
                (progress.BarColumn(), BAR, 4),
                (progress.TextColumn("{task.description}"), len("99 at work, 999 failed"), 2),
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
        """Show a progress bar of a download, where stderr is a terminal."""
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
    """What shows a training: told the steps done and the loss."""

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
    """Say how far a training of a `total` of units is, each of so many steps: "epoch 3/60, batch 12/40"."""
    whole, batches = divmod(done, steps)
    if steps > 1 and whole < total:
        return f"{unit} {whole + 1}/{total}, batch {batches:,}/{steps:,}"
    return f"{unit} {whole}/{total}"


def _that_fit(width: int, *columns: tuple["ProgressColumn", int, int]) -> list["ProgressColumn"]:
    """Return the columns of a progress bar that a terminal has room for.

    Each is given with the characters that it takes and its rank: those of the lowest ranks stay.
    """
    kept: list[ProgressColumn] = []
    for column, needed, _ in sorted(columns, key=lambda given: given[2]):
        width -= needed + 1
        if width >= 0 or not kept:
            kept.append(column)
    return [column for column, _, _ in columns if column in kept]


@dataclass(frozen=True)
class _Runs:
    """What shows a sweep: told the runs that are over, at work, and failed."""

    bar: Any
    task: Any

    def __call__(self, over: int, at_work: int, failed: int) -> None:
        told = f"{at_work} at work" + (f", {failed} failed" if failed else "")
        self.bar.update(self.task, completed=over, description=told)


class _Download:
    """What shows a download: told its `total` in bytes, and then each part that arrived."""

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
