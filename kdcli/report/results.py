"""What each stage did, as lines and tables for a person and as a document for a program."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kdcli.metrics import HUGE
from kdcli.models import parse_model
from kdcli.report.screen import Screen, place
from kdcli.runs.schema import LEFT_OUT

if TYPE_CHECKING:
    from kdcli.stages.distill import Distilled, SetMade
    from kdcli.stages.gen_data import DataMade
    from kdcli.stages.plot import Plotted
    from kdcli.stages.recipe import RecipeShown
    from kdcli.stages.train_teacher import TeacherTrained


def recipe_shown(screen: Screen, made: "RecipeShown") -> None:
    """Print a recipe as TOML, or its tables as a document."""
    screen.file(made.text)
    recipe = made.recipe
    data = {"dataset": recipe.dataset, **asdict(recipe.data)}
    tables = {"data": data, "teacher": asdict(recipe.teacher), "students": asdict(recipe.students)}
    screen.document({"name": made.name, **tables})


def data_made(screen: Screen, made: "DataMade") -> None:
    """Tell what `kd gen-data` did."""
    screen.say(
        f"run {made.run}: {made.dataset}, {made.n_train:,} training, {made.n_val:,} validation and "
        f"{made.n_test:,} test examples of {made.n_classes} classes"
    )
    if made.bayes:
        screen.say(f"Bayes optimum: accuracy {made.bayes['accuracy']:.2%}, NLL {made.bayes['nll']:.4f} nats")
    screen.say(wrote(made.path, made.up_to_date))
    screen.document(asdict(made))


def teacher_trained(screen: Screen, made: "TeacherTrained") -> None:
    """Tell what `kd train-teacher` did."""
    took = "" if made.up_to_date else f" in {made.training_seconds:.1f} s"
    epochs = f", {_epochs(made.epochs)}" if made.epochs else ""
    screen.say(
        f"run {made.run}: teacher {made.model}{epochs}{took}, "
        f"test accuracy {made.metrics['accuracy']:.2%}, NLL {_spread(made.metrics['nll'], '{:.4f}')} nats"
    )
    screen.say(wrote(made.path, made.up_to_date))
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
        grid = _score_table("students on the test split, mean (sd) over seeds", made.students)
        _student_rows(grid, made.students)
        screen.table(grid)
    for students in made.students:
        screen.say(wrote(students.path, students.up_to_date))
    for students in made.students:
        for told in students.told:
            screen.say(f"! {students.title}: {told}", wrap=True)
    listed = [
        {
            "name": s.name,
            "path": s.path,
            "seeds": s.seeds,
            **{why: s.left_out.get(why, []) for why in LEFT_OUT},
        }
        for s in made.students
    ]
    keys = ("run", "students", "students_trained", "epochs", "training_seconds")
    document = {**asdict(made), "students": listed}
    screen.document({key: document[key] for key in keys})


def plotted(screen: Screen, made: "Plotted") -> None:
    """Tell what `kd plot` did."""
    screen.say(f"run {made.run}: {len(made.figures)} figure{'' if len(made.figures) == 1 else 's'}")
    for path in made.figures:
        screen.say(wrote(path, False))
    for name, reason in made.left_out.items():
        screen.say(f"left out {name}: {reason}")
    for name, note in made.notes.items():
        screen.say(f"{name} {note}")
    screen.document(asdict(made))


def _score_table(title: str, students: Sequence["SetMade"]) -> Table:
    """Make a table of scores; where models are described by numbers, with these instead of the errors."""
    described = dict.fromkeys(name for s in students for name in parse_model(s.model).DESCRIBED)
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("", overflow="fold")  # where the terminal is narrow, names give way, not numbers
    for column in (
        "accuracy",
        *([] if described else ["errors"]),
        "NLL (nats)",
        *described,
    ):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _student_rows(table: Table, students: Sequence["SetMade"]) -> None:
    """Add a section for each model, with a row for each of its sets."""
    for model, sets in groupby(students, lambda one: one.model):
        table.add_section()
        table.add_row(Text(model, style="bold"))
        for chosen in sets:
            _score_row(table, f"  {chosen.title}", chosen.metrics, parse_model(model).DESCRIBED)


def _score_row(table: Table, title: str, metrics: Mapping[str, Any], described: Sequence[str]) -> None:
    cells = {
        "accuracy": _spread(metrics["accuracy"], "{:.2f}", " %", 100),
        "errors": _spread(metrics["errors"], "{:.0f}"),
        "NLL (nats)": _spread(metrics["nll"], "{:.4f}"),
        **{name: f"{statistics.fmean(metrics[name]):.0f}" for name in described},
    }
    table.add_row(title, *(cells.get(str(column.header), "") for column in table.columns[1:]))


def _spread(values: float | Sequence[float], form: str, unit: str = "", scale: float = 1) -> str:
    """Write one value, or the mean and standard deviation of several; ∞ where any is infinite.

    The standard deviation stands in brackets: after a ± stands half the width of an interval.
    """
    largest = max([values] if isinstance(values, (int, float)) else values)
    if math.isinf(largest):
        return "∞"
    if largest >= HUGE:
        form = "{:.1e}"
    if isinstance(values, (int, float)):
        return form.format(values * scale) + unit
    scaled = [value * scale for value in values]
    mean = form.format(statistics.fmean(scaled))
    return f"{mean} ({form.format(statistics.stdev(scaled))}){unit}" if len(scaled) > 1 else mean + unit


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"


def wrote(path: Path, up_to_date: bool) -> str:
    """Say that a file or folder was written, or is there as it should be."""
    return f"{place(path)} is up to date" if up_to_date else f"wrote {place(path)}"
