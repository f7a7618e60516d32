"""Asking a run's teacher about other examples than those of the run."""

import polars as pl
from torch import Tensor

from kdcli.errors import Command, KdError
from kdcli.runs.experiment import Experiment
from kdcli.teachers.elsewhere import answers, called, resolved


def ask(experiment: Experiment, frame: pl.DataFrame, x: Tensor, draw: int, source: str | None) -> Tensor:
    """Return the logits `(n, n_classes)` of the teacher of a draw for examples `x (n, *features)`.

    `frame` has them as the source of the data does. A teacher that is code is asked only where `source` names
    it. Raises `KdError` where it cannot be asked.
    """
    teacher, data = experiment.teacher, experiment.data
    if teacher.is_kept:
        return teacher.member(teacher.load_model(), 0, draw).predict(x)[0]
    settings = teacher.record.settings
    asked = called(settings)
    if asked is None:
        raise KdError(
            f"{teacher.model} has the teacher's answers to the examples of the run, and to no others",
            "a teacher that can be called, or one that is trained here, labels new examples",
        )
    again = Command("distill", (), {"from": settings.source})
    resolved(settings, {"source": source}, again)
    return answers(asked, settings, data, frame, x, lambda row: f"new example {row + 1}")
