"""Labels of a run's teacher for examples from outside the run."""

import polars as pl
import torch
from torch import Tensor

from kdcli.data.tables.typed import typed
from kdcli.errors import Command, KdError
from kdcli.progress import Watch, unwatched
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import Teacher
from kdcli.teachers.asked import CallableTeacher
from kdcli.teachers.elsewhere import answers, called, check_named
from kdcli.teachers.source import source_of


def ask(
    experiment: Experiment,
    frame: pl.DataFrame | None,
    x: Tensor,
    index: Tensor,
    again: Command,
    watch: Watch = unwatched,
) -> Tensor:
    """Return the teachers' logits `(draws, n, n_classes)` of examples `x (rows, *features)`.

    Draws take their examples by `index (draws, n)`. `frame` has the rows in the form of the source of the
    data, if that is a table. A teacher that is code is called only if the command, which `again` repeats,
    names it. Raises `KdError` if the teacher cannot be called.
    """
    teacher, data = experiment.teacher, experiment.data
    if teacher.is_kept:
        stack = teacher.load_model()
        members = (teacher.member(stack, 0, draw) for draw in range(data.draws))
        return torch.stack([member.predict(x[rows])[0] for member, rows in zip(members, index, strict=True)])
    asked = _allowed(experiment, teacher.record.settings, again)
    source = source_of(data, watch).frame
    rows = None if frame is None or source is None else like(frame, typed(source))
    place = lambda row: f"new example {row + 1}"  # noqa: E731
    return answers(asked, teacher.record.settings, data, rows, x, place)[index]


def _allowed(experiment: Experiment, settings: Teacher, again: Command) -> CallableTeacher:
    """Return the teacher if it may be called; raises `KdError` otherwise."""
    asked, source = called(settings), settings.source
    if asked is None:
        raise KdError(
            f"{experiment.teacher.model} has predictions only for the examples of the run",
            "new examples need a teacher that kd trains or can call",
        )
    check_named(source, again.options.get("from"), again.adding(**{"from": source}))
    if asked.digest != settings.digest:
        raise KdError(
            f"{source} has changed since its predictions for the run were stored",
            ("compute them again with ", experiment.run.command("train-teacher", source=source, force=True)),
        )
    return asked


def like(frame: pl.DataFrame, source: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the columns and types of `source`, in its order; a missing column is null.

    Raises `KdError` for a value that is not of its column's type.
    """
    columns = []
    for name, kind in source.schema.items():
        given = frame.get_column(name) if name in frame.columns else pl.Series([None] * frame.height)
        column = given.cast(kind, strict=False).alias(name)
        odd = (column.is_null() & given.is_not_null()).arg_true()
        if len(odd):
            row = int(odd[0])
            raise KdError(
                f"new example {row + 1}: column '{name}' has '{given[row]}', but the data have "
                f"{'numbers' if kind.is_numeric() else 'other values'}",
                "correct the value, or leave it empty if it is missing",
            )
        columns.append(column)
    return pl.DataFrame(columns)
