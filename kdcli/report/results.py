"""What `kd train-teacher` and `kd distill` did, for a person and for a program."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from kdcli.metrics import HUGE, RECORDED
from kdcli.report.screen import Screen
from kdcli.report.sentences import scores_text
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.told import Line
from kdcli.report.words import counted, seconds, wrote
from kdcli.runs.student_sets import LOST


def teacher_trained(screen: Screen, made: Any) -> None:
    """Tell what `kd train-teacher` did."""
    took = "" if made.up_to_date else f" in {seconds(made.training_seconds)}"
    epochs = f", {counted(made.epochs, 'epoch')}" if made.epochs else ""
    screen.say(f"run {made.run}: teacher {made.model}{epochs}{took}, test {scores_text(made.metrics)}")
    screen.say(wrote(made.path, made.up_to_date))
    screen.document(asdict(made))


def distilled(screen: Screen, made: Any, *, table: bool = True) -> None:
    """Tell what `kd distill` did."""
    models = dict.fromkeys(students.model for students in made.students)
    model = next(iter(models)) if len(models) == 1 else f"of {len(models)} models"
    if made.students_trained:
        epochs = f", {counted(made.epochs, 'epoch')}" if made.epochs else ""
        took = seconds(made.training_seconds)
        screen.say(f"run {made.run}: {counted(made.students_trained, 'student')} {model}{epochs} in {took}")
    else:
        screen.say(f"run {made.run}: all students {model} are up to date")
    if table:
        screen.tell(_scores(made.students))
    for students in made.students:
        screen.say(wrote(students.path, students.up_to_date))
    for students in made.students:
        screen.tell(*(Line(f"! {students.title}: {told}", wrap=True) for told in students.told))
    listed = [
        {"name": s.name, "path": s.path, "seeds": s.seeds, **{why: s.left_out.get(why, []) for why in LOST}}
        for s in made.students
    ]
    keys = ("run", "students", "students_trained", "epochs", "training_seconds")
    document = {**asdict(made), "students": listed}
    screen.document({key: document[key] for key in keys})


def _scores(sets: Sequence[Any]) -> Table:
    """Make a table of scores; where models are described by numbers, with these instead of the errors."""
    described = dict.fromkeys(name for s in sets for name in s.metrics if name not in RECORDED)
    names = ["accuracy", *([] if described else ["errors"]), "nll", *described]
    sections = [
        Section([Row(Cell(s.title), [_score(name, s.metrics) for name in names]) for s in group], model)
        for model, group in groupby(sets, lambda students: students.model)
    ]
    columns = [Column({"nll": "NLL (nats)"}.get(name, name)) for name in names]
    return Table(columns, sections, "students on the test split, mean (sd) over seeds")


def _score(name: str, metrics: Mapping[str, Any]) -> Cell:
    if name not in metrics:
        return Cell()
    forms = {"accuracy": ("{:.2f}", " %", 100), "errors": ("{:.0f}",), "nll": ("{:.4f}",)}
    if name in forms:
        return Cell(spread(metrics[name], *forms[name]))  # type: ignore[arg-type]
    return Cell(f"{statistics.fmean(metrics[name]):.0f}")


def spread(values: float | Sequence[float], form: str, unit: str = "", scale: float = 1) -> str:
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
