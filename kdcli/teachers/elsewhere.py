"""Existing teachers: their predictions for the examples of a run, computed once and stored."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import polars as pl
from torch import Tensor

from kdcli.data.owned import digest_of
from kdcli.data.tables.typed import typed
from kdcli.errors import Command, KdError
from kdcli.progress import Watch
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import Teacher
from kdcli.runs.source import absolute, runs_code
from kdcli.runs.stored import Data
from kdcli.store import Content
from kdcli.teachers.answers import logits_from
from kdcli.teachers.asked import Asked, CallableTeacher, unnoted
from kdcli.teachers.calling import opened
from kdcli.teachers.onnx_inputs import Scaling
from kdcli.teachers.order import check_order
from kdcli.teachers.predictions import read_predictions
from kdcli.teachers.source import source_of
from kdcli.training.scores import scores_on_test

NOTE = "columns"  # the key of notes in a record's `used`


def resolved(settings: Teacher, named: str | None) -> Teacher:
    """Return the settings of an existing teacher, with its absolute path and its digest.

    The user's own code is run only if this call has `named` it. Raises `KdError` if it has not, or if the
    teacher does not match the digest, and `UsageError` for a text that names no teacher.
    """
    source = absolute(settings.source)
    check_named(settings.source, named, Command("train-teacher", (), {"source": settings.source}))
    teacher = called(settings)
    digest = digest_of([Path(source)], "") if teacher is None else teacher.digest
    if settings.digest and digest != settings.digest:
        raise KdError(
            f"{settings.source} is not the teacher that the recipe names (its SHA-256 differs)",
            "remove `digest` from the recipe to accept the teacher as it is now",
        )
    return replace(settings, source=source, digest=digest)


def check_named(source: str, named: str | None, naming: Command) -> None:
    """Raise `KdError` if a source is code that this call has not `named`; the command `naming` does."""
    if runs_code(source) and absolute(named or "") != absolute(source):
        raise KdError(
            f"the teacher is code, {source}, which runs only if the command names it",
            ("name it: ", naming),
        )


def take(experiment: Experiment, settings: Teacher, watch: Watch) -> Content:
    """Compute a teacher's logits for all examples of a run, by split and draw."""
    start = time.perf_counter()
    notes: list[str] = []
    data, source = experiment.data, settings.source
    classes, pool = data.description.classes, data.pool
    rows, teacher = source_of(data, watch), called(settings)
    if teacher is None:
        named = Path(source).name
        logits = read_predictions(
            Path(source),
            rows,
            classes,
            id_column=settings.id_column,
            logits=settings.logits,
            note=notes.append,
        )
    else:
        named = teacher.who
        frame = None if rows.frame is None else typed(rows.frame)
        logits = answers(teacher, settings, data, frame, pool.x, rows.place, notes.append)
    if not settings.trust_order:
        check_order(logits, pool.y, classes, named, shifted=not settings.id_column)
    of_splits = {
        split: logits[index].expand(pool.draws, -1, -1).contiguous() for split, index in pool.index.items()
    }
    scores = scores_on_test(of_splits["test"].unsqueeze(1), data)
    used = {NOTE: "; ".join(notes)} if notes else {}
    return Content({"logits": of_splits}, scores, time.perf_counter() - start, used)


def answers(
    teacher: CallableTeacher,
    settings: Teacher,
    data: Data,
    frame: pl.DataFrame | None,
    x: Tensor,
    place: Callable[[int], str],
    note: Callable[[str], None] = unnoted,
) -> Tensor:
    """Call a teacher on examples `x (n, *features)`, whose rows in their source are those of `frame`.

    Returns its logits `(n, n_classes)`, float64. `place` names an example, and `note` is called with
    assumptions made in reading the answers. Raises `KdError` for answers that do not fit the settings.
    """
    description = data.description
    asked = Asked(frame, x, description.feature_names, description.classes, settings.logits, note)
    answer = teacher.ask(asked)
    return logits_from(answer, description.classes, teacher.who, logits=settings.logits, place=place)


def called(settings: Teacher) -> CallableTeacher | None:
    """Return the callable teacher of these settings; None for a file of predictions."""
    return opened(settings.source, timeout=settings.timeout, scaling=cast(Scaling, settings.scaling))
