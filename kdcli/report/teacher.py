"""Notes and cautions on a teacher, in addition to its scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdcli.teachers.elsewhere import NOTE
from kdcli.teachers.order import caution, is_certain
from kdcli.words import capitalised

if TYPE_CHECKING:
    from kdcli.runs.experiment import Experiment

UNKNOWN = (
    "kd cannot know which rows this teacher was trained on. If test rows were among them, it looks better "
    "than it is, and so do its students. A test file of its own (--test FILE) rules this out."
)


def teacher_text(experiment: Experiment) -> Iterator[str]:
    """Yield notes on how the run's teacher was read, and on problems that would mislead its students."""
    data, teacher = experiment.data, experiment.teacher
    if note := teacher.meta.used.get(NOTE):
        yield f"{capitalised(note)}."
    if all(map(is_certain, teacher.logits.values())):
        yield "Every prediction is certain: the soft labels are the same as the hard labels."
    if not teacher.is_kept and data.dataset.opened and data.description.drawing == "split":
        yield UNKNOWN
    logits = teacher.logits["test"]
    y = data.pool.y[data.pool.index["test"]].expand(len(logits), -1)
    if poor := caution(logits.flatten(0, 1), y.flatten()):
        yield f"{capitalised(poor)}: students will learn little from it."
