"""Where output goes: people's words, one JSON document, progress, and errors."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kdcli.errors import KdError
from kdcli.store import to_json

if TYPE_CHECKING:
    from kdcli.train import Report


@dataclass(frozen=True)
class Screen:
    """Where output goes: people's words to stdout unless quiet or JSON, progress to stderr."""

    quiet: bool = False
    as_json: bool = False

    def say(self, text: str = "", *, wrap: bool = False, style: str | None = None) -> None:
        """Print a line for a person, whole so that a path can be copied, or wrapped at words."""
        if not (self.quiet or self.as_json):
            Console(highlight=False).print(text, soft_wrap=not wrap, markup=False, style=style)

    def hint(self, text: str) -> None:
        """Tell a person on stderr of what goes on, apart from the results."""
        if not self.quiet:
            Console(stderr=True, highlight=False).print(text, soft_wrap=True, markup=False)

    def table(self, table: Table) -> None:
        """Print a table for a person."""
        if not (self.quiet or self.as_json):
            Console(highlight=False).print(table)

    def document(self, document: Mapping[str, Any]) -> None:
        """Print the JSON document of a command, if JSON was asked for."""
        if self.as_json:
            print(json.dumps(to_json(document), indent=2, default=_jsonable, allow_nan=False))

    @contextmanager
    def training(self, title: str, total: int, unit: str) -> Iterator["Report"]:
        """Show a progress bar with the current loss and the time left, where stderr is a terminal."""
        from rich import progress

        console = Console(stderr=True)
        bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn(f"{unit} {{task.completed}}/{{task.total}}"),
            progress.TextColumn("{task.fields[loss]}"),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=self.quiet or not console.is_terminal,
            refresh_per_second=5,
        )
        with bar:
            task = bar.add_task(title, total=total, loss="")
            yield lambda done, loss: bar.update(
                task, completed=done, loss="" if loss is None else f"loss {loss:.4g}"
            )

    @contextmanager
    def download(self, title: str) -> Iterator["_Download"]:
        """Show a progress bar of a download, where stderr is a terminal."""
        from rich import progress

        console = Console(stderr=True)
        bar = progress.Progress(
            progress.TextColumn("downloading {task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=self.quiet or not console.is_terminal,
        )
        with bar:
            yield _Download(bar, title)


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
        print(json.dumps({"error": problem.message, "hint": problem.hint}, indent=2))
        return
    console = Console(stderr=True, highlight=False)
    console.print(Text("error: ", style="bold red") + Text(problem.message), soft_wrap=True)
    if problem.hint:
        console.print(Text("hint:  ", style="bold") + Text(problem.hint), soft_wrap=True)


def place(path: Path) -> str:
    """Return a path as it is shortest to read from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def readable_size(count: float) -> str:
    """Write a number of bytes as it is read best: "812 B", "3.1 MB"."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _jsonable(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no place in a JSON document")
