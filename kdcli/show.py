"""Results as a person or a program wants them: rich tables and lines, or one JSON document."""

import json
import math
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kdcli.errors import KdError
from kdcli.store import to_json

if TYPE_CHECKING:
    from kdcli.stages.distill import Distilled, SetMade
    from kdcli.stages.gen_data import DataMade
    from kdcli.stages.plot import Plotted
    from kdcli.stages.run import Summary
    from kdcli.stages.train_teacher import TeacherTrained
    from kdcli.stats import Estimate
    from kdcli.train import Report

TREE_COLUMNS = ("leaves", "depth")


@dataclass(frozen=True)
class Screen:
    """Where output goes: people's words to stdout unless quiet or JSON, progress to stderr."""

    quiet: bool = False
    as_json: bool = False

    def say(self, text: str = "", *, wrap: bool = False) -> None:
        """Print a line for a person, whole so that a path can be copied, or wrapped at words."""
        if not (self.quiet or self.as_json):
            Console(highlight=False).print(text, soft_wrap=not wrap, markup=False)

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


def data_made(screen: Screen, made: "DataMade") -> None:
    """Tell what `kd gen-data` did."""
    screen.say(
        f"run {made.run}: {made.dataset}, {made.n_train:,} training, {made.n_val:,} validation and "
        f"{made.n_test:,} test examples of {made.n_classes} classes"
    )
    if made.bayes:
        screen.say(f"Bayes optimum: accuracy {made.bayes['accuracy']:.2%}, NLL {made.bayes['nll']:.4f} nats")
    screen.say(_wrote(made.path, made.up_to_date))
    screen.document(asdict(made))


def teacher_trained(screen: Screen, made: "TeacherTrained") -> None:
    """Tell what `kd train-teacher` did."""
    took = "" if made.up_to_date else f" in {made.training_seconds:.1f} s"
    screen.say(
        f"run {made.run}: teacher {made.model}, {_epochs(made.epochs)}{took}, "
        f"test accuracy {made.metrics['accuracy']:.2%}, NLL {made.metrics['nll']:.4f} nats"
    )
    screen.say(_wrote(made.path, made.up_to_date))
    screen.document(asdict(made))


def distilled(screen: Screen, made: "Distilled", *, table: bool = True) -> None:
    """Tell what `kd distill` did."""
    models = dict.fromkeys(students.model for students in made.students)
    named = next(iter(models)) if len(models) == 1 else f"of {len(models)} models"
    if made.students_trained:
        epochs = f", {_epochs(made.epochs)}" if made.epochs else ""
        took = f"{made.training_seconds:.1f} s"
        screen.say(f"run {made.run}: {made.students_trained} students {named}{epochs} in {took}")
    else:
        screen.say(f"run {made.run}: all students {named} are there")
    if table:
        grid = _score_table("students on the test split", made.students)
        _student_rows(grid, made.students)
        screen.table(grid)
    for students in made.students:
        screen.say(_wrote(students.path, students.up_to_date))
    listed = [{"name": s.name, "path": s.path, "seeds": s.seeds} for s in made.students]
    keys = ("run", "students", "students_trained", "epochs", "training_seconds")
    document = {**asdict(made), "students": listed}
    screen.document({key: document[key] for key in keys})


def plotted(screen: Screen, made: "Plotted") -> None:
    """Tell what `kd plot` did."""
    screen.say(f"run {made.run}: {len(made.figures)} figure{'' if len(made.figures) == 1 else 's'}")
    for path in made.figures:
        screen.say(_wrote(path, False))
    for name, reason in made.left_out.items():
        screen.say(f"left out {name}: {reason}")
    for name, note in made.notes.items():
        screen.say(f"{name} {note}")
    screen.document(asdict(made))


def summary(screen: Screen, made: "Summary", *, commands: Sequence[str], figures: Sequence[Path]) -> None:
    """Show the table that `kd run` ends with."""
    table = _score_table(f"{made.run}: {made.n_test:,} test examples", made.students)
    if made.bayes:
        _score_row(table, "Bayes optimum", made.bayes)
    _score_row(table, f"teacher {made.teacher_model}", made.teacher)
    _student_rows(table, made.students, made.intervals)
    screen.table(table)
    counts = sorted({len(students.seeds) for students in made.students})
    if counts == [1]:
        screen.say("Students' accuracy: 95 % interval over test examples, for this one seed.", wrap=True)
    else:
        seeds = " or ".join(map(str, counts))
        screen.say(
            "Students' accuracy: mean and 95 % interval over seeds and test examples. The rest: mean ± sd "
            f"over {seeds} seeds.",
            wrap=True,
        )
    if made.optimum:
        screen.say(
            "The Bayes optimum is scored on the same test examples; over the whole distribution it is "
            f"{made.optimum['accuracy']:.2%} and {made.optimum['nll']:.4f} nats.",
            wrap=True,
        )
    screen.document(
        {
            "run": made.run,
            "path": made.path,
            "commands": commands,
            "figures": figures,
            "dataset": {"name": made.dataset, "n_test": made.n_test, "bayes": made.optimum},
            "bayes_on_test": made.bayes,
            "teacher": {"model": made.teacher_model, "metrics": made.teacher},
            "students": [
                {
                    "name": s.name,
                    "path": s.path,
                    "target": s.title,
                    "model": s.model,
                    "seeds": s.seeds,
                    "metrics": s.metrics,
                    "accuracy_ci95": [interval.low, interval.high],
                }
                for s, interval in zip(made.students, made.intervals, strict=True)
            ],
        }
    )


def _score_table(title: str, students: Sequence["SetMade"]) -> Table:
    """Make a table of scores; where there are trees, with their size instead of the error count."""
    trees = any("leaves" in s.metrics for s in students)
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("", overflow="fold")  # where the terminal is narrow, names give way, not numbers
    for column in (
        "accuracy",
        *([] if trees else ["errors"]),
        "NLL (nats)",
        *(TREE_COLUMNS if trees else []),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _student_rows(
    table: Table, students: Sequence["SetMade"], intervals: Sequence["Estimate"] | None = None
) -> None:
    """Add a section for each model, with a row for each of its sets; accuracies with intervals if given."""
    given: Sequence[Estimate | None] = intervals or [None] * len(students)
    rows = zip(students, given, strict=True)
    for model, sets in groupby(rows, lambda row: row[0].model):
        table.add_section()
        table.add_row(Text(model, style="bold"))
        for chosen, interval in sets:
            _score_row(table, f"  {chosen.title}", chosen.metrics, interval)


def _score_row(
    table: Table, title: str, metrics: Mapping[str, Any], interval: "Estimate | None" = None
) -> None:
    cells = {
        "accuracy": _spread(metrics["accuracy"], "{:.2f}", " %", 100),
        "errors": _spread(metrics["errors"], "{:.0f}"),
        "NLL (nats)": _spread(metrics["nll"], "{:.4f}"),
    }
    if interval:
        mean, half = 100 * interval.mean, 100 * (interval.high - interval.mean)
        cells["accuracy"] = f"{mean:.2f} ± {half:.2f} %"
    if "leaves" in metrics:
        cells |= {name: f"{statistics.fmean(metrics[name]):.0f}" for name in TREE_COLUMNS}
    table.add_row(title, *(cells.get(str(column.header), "") for column in table.columns[1:]))


def _spread(values: float | Sequence[float], form: str, unit: str = "", scale: float = 1) -> str:
    """Write one value, or the mean and standard deviation of several; ∞ where any is infinite."""
    if math.isinf(max([values] if isinstance(values, (int, float)) else values)):
        return "∞"
    if isinstance(values, (int, float)):
        return form.format(values * scale) + unit
    scaled = [value * scale for value in values]
    mean = form.format(statistics.fmean(scaled))
    return f"{mean} ± {form.format(statistics.stdev(scaled))}{unit}" if len(scaled) > 1 else mean + unit


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"


def _wrote(path: Path, up_to_date: bool) -> str:
    return f"{place(path)} is up to date" if up_to_date else f"wrote {place(path)}"


def _jsonable(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no place in a JSON document")
