"""`kd train-teacher`: train the run's teacher, and store its checkpoint, logits and curves."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from kdcli.errors import joined
from kdcli.evidence.remedies import Remembers, remembers
from kdcli.metrics import mean_over
from kdcli.progress import Watch, unwatched
from kdcli.report.cautions import caution_text
from kdcli.report.sentences import scores_text
from kdcli.report.told import Line, Told
from kdcli.report.words import seconds, wrote
from kdcli.runs import room
from kdcli.runs.edits import check_data
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import TEACHER
from kdcli.runs.recipe import Teacher
from kdcli.runs.records import TeacherRecord
from kdcli.runs.reuse import reusable
from kdcli.runs.stored import TrainedTeacher
from kdcli.settings import flags_given, override
from kdcli.teachers import trained
from kdcli.training import refusals
from kdcli.training.devices import choose_device
from kdcli.training.material import teacher_sizes
from kdcli.words import counted


@dataclass(frozen=True)
class TeacherTrained:
    """What `kd train-teacher` wrote, one teacher for each draw; metrics are means over their test splits."""

    run: str
    path: Path
    up_to_date: bool
    model: str
    draws: int
    epochs: int
    metrics: dict[str, float]
    training_seconds: float
    remembers: Remembers | None = None

    def told(self) -> Iterator[Told]:
        """Return how the teacher was trained, its scores, and the path."""
        epochs = f", {counted(self.epochs, 'epoch')}" if self.epochs else ""
        took = "" if self.up_to_date else f" in {seconds(self.training_seconds)}"
        teachers, mean = (f"{self.draws} teachers", "mean ") if self.draws > 1 else ("teacher", "")
        scores = f"{mean}test {scores_text(self.metrics)}"
        yield f"run {self.run}: {teachers} {self.model}{epochs}{took}, {scores}"
        if self.remembers:
            yield Line(joined("! ", caution_text(self.remembers)), wrap=True)
        yield wrote(self.path, self.up_to_date)

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        memory = self.remembers and self.remembers.memory
        entropy = {"entropy": memory._asdict()} if memory else {}
        return {key: value for key, value in asdict(self).items() if key != "remembers"} | entropy


def train_teacher(
    experiment: Experiment, options: Mapping[str, Any], *, force: bool = False, watch: Watch = unwatched
) -> TeacherTrained:
    """Train the teacher of the run's recipe, changed by `options`, on the dataset's labels.

    Raises `KdError` where the data are missing or stale or not those of the recipe, another teacher is there
    and `force` does not allow to replace it, memory or the disk has no room for it, or the loss stops being
    finite.
    """
    config = override(experiment.recipe.teacher, options)
    record = TeacherRecord.of(config)
    model = record.model
    refusals.check_settings(options, Teacher, [model])
    data = experiment.data
    check_data(experiment)
    refusals.check_models([model], data, data.description.sizes["train"], "mlp:64,64")
    on_card = model.takes("device") and choose_device(config.device).type == "cuda"
    stored = experiment.stored(TEACHER, force=force)
    if isinstance(stored, TrainedTeacher):
        record = record.as_used(stored.record, stored.meta.used)
    up_to_date = reusable(experiment, TEACHER, record, force=force, given=flags_given(options))
    if not up_to_date:
        free = torch.cuda.mem_get_info()[0] if on_card else None
        room.check_training(model, teacher_sizes(data), experiment.run.path, free)
        experiment.write(TEACHER, record, trained.train(experiment, record, watch))
    for points in trained.points_of(experiment):
        points.clear()
    teacher = experiment.teacher
    return TeacherTrained(
        run=experiment.run.name,
        path=teacher.artefact.path,
        up_to_date=up_to_date,
        model=str(model),
        draws=data.draws,
        epochs=config.epochs if model.takes("epochs") else 0,
        metrics={name: mean_over(values) for name, values in teacher.metrics.items()},
        training_seconds=teacher.meta.seconds,
        remembers=remembers(experiment),
    )
