"""`kd train-teacher`: train the run's teacher, and store its checkpoint, logits and curves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from kdcli.commands import text
from kdcli.errors import Text, UsageError, joined
from kdcli.evidence.remedies import remembers
from kdcli.metrics import mean_over
from kdcli.models import parse_teacher
from kdcli.progress import Watch, unwatched
from kdcli.report.cautions import caution_text
from kdcli.report.sentences import scores_text
from kdcli.report.teacher import teacher_text
from kdcli.report.told import Line, Told
from kdcli.report.words import seconds, wrote
from kdcli.runs import room
from kdcli.runs.edits import check_data
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import TEACHER
from kdcli.runs.recipe import EXISTING, Teacher
from kdcli.runs.records import TeacherRecord
from kdcli.runs.reuse import reusable
from kdcli.runs.source import ONLY_OF, runs_code
from kdcli.runs.stored import TrainedTeacher
from kdcli.settings import flag, flags_given, override, rules
from kdcli.store import Content
from kdcli.teachers import elsewhere, trained
from kdcli.teachers.memory import Memory, memory_of
from kdcli.training import refusals
from kdcli.training.devices import choose_device
from kdcli.training.material import teacher_sizes
from kdcli.words import counted


@dataclass(frozen=True)
class TeacherTrained:
    """The result of `kd train-teacher`, with a teacher for each draw; metrics are means over test splits."""

    run: str
    path: Path
    up_to_date: bool
    model: str
    draws: int
    epochs: int
    metrics: dict[str, float]
    training_seconds: float
    cautions: Sequence[Text]
    memory: Memory
    taken: bool  # an existing teacher, the same in all draws

    def told(self) -> Iterator[Told]:
        """Return how the teacher was trained, its scores, and the path."""
        epochs = f", {counted(self.epochs, 'epoch')}" if self.epochs else ""
        took = "" if self.up_to_date else f" in {seconds(self.training_seconds)}"
        teachers = "teacher" if self.draws == 1 or self.taken else f"{self.draws} teachers"
        mean = "mean " if self.draws > 1 else ""
        scores = f"{mean}test {scores_text(self.metrics)}"
        yield f"run {self.run}: {teachers} {self.model}{epochs}{took}, {scores}"
        yield from (Line(joined("! ", told), wrap=True) for told in self.cautions)
        yield wrote(self.path, self.up_to_date)

    def document(self) -> dict[str, Any]:
        """Return the same, with the mean entropy of the teacher's labels on training and validation rows."""
        cautions = list(map(text, self.cautions))
        table = asdict(replace(self, cautions=()))
        entropy = {"entropy": table.pop("memory")._asdict()}
        return table | entropy | {"cautions": cautions}


def train_teacher(
    experiment: Experiment, options: Mapping[str, Any], *, force: bool = False, watch: Watch = unwatched
) -> TeacherTrained:
    """Train the teacher of the run's recipe, changed by `options`, or use an existing teacher.

    An existing teacher is used if the recipe or the options name its `source`. Raises `KdError` if the data
    are missing, stale or not those of the recipe, another teacher is stored and `force` is not given, the
    teacher does not fit in memory or on the disk, the loss becomes non-finite, or an existing teacher does
    not fit the data.
    """
    config = _settings(experiment, options)
    record, data = TeacherRecord.of(config), experiment.data
    check_data(experiment)
    if not config.source:
        refusals.check_models([record.model], data, data.description.sizes["train"], "mlp:64,64")
    stored = experiment.stored(TEACHER, force=force)
    if isinstance(stored, TrainedTeacher):
        record = record.as_used(stored.record, stored.meta.used)
    up_to_date = reusable(experiment, TEACHER, record, force=force, given=flags_given(options))
    if force and config.source and runs_code(config.source):
        up_to_date = False  # files that the code loads may have changed
    if not up_to_date:
        experiment.write(TEACHER, record, _made(experiment, record, watch))
    for points in trained.points_of(experiment):
        points.clear()
    return _result(experiment, up_to_date)


def _result(experiment: Experiment, up_to_date: bool) -> TeacherTrained:
    """Describe the stored teacher."""
    teacher, model = experiment.teacher, experiment.teacher.model
    return TeacherTrained(
        run=experiment.run.name,
        path=teacher.artefact.path,
        up_to_date=up_to_date,
        model=str(model),
        draws=experiment.data.draws,
        epochs=teacher.record.settings.epochs if model.takes("epochs") else 0,
        metrics={name: mean_over(values) for name, values in teacher.metrics.items()},
        training_seconds=teacher.meta.seconds,
        cautions=_cautions(experiment),
        memory=memory_of(teacher),
        taken=not teacher.is_kept,
    )


def _settings(experiment: Experiment, options: Mapping[str, Any]) -> Teacher:
    """Return the settings of the requested teacher; raises `KdError` for options that do not apply."""
    config = override(experiment.recipe.teacher, options)
    if options.get("model") and not options.get("source"):
        config = replace(config, source="")  # a model to train, whatever the recipe says
    _check_options(config, options)
    return elsewhere.resolved(config, options.get("source")) if config.source else config


def _check_options(config: Teacher, options: Mapping[str, Any]) -> None:
    """Refuse options that have no effect on this teacher."""
    if idle := [key for key in flags_given(options) if key in rules(Teacher) and key not in config.keys]:
        flags = ", ".join(flag(Teacher, key) for key in idle)
        why = dict.fromkeys(_why_idle(config, key) for key in idle)
        leave = f"leave {'it' if len(idle) == 1 else 'them'} out"
        raise UsageError(f"{flags}: no effect here", "; ".join([*why, leave]))
    if not config.source:
        refusals.check_settings(options, Teacher, [parse_teacher(config.model, config.ensemble)])


def _why_idle(config: Teacher, key: str) -> str:
    if rules(Teacher)[key].panel != EXISTING:
        return "an existing teacher is not trained"
    what = ONLY_OF.get(key, "an existing teacher")
    return f"{flag(Teacher, key)} is for {what}" + ("" if config.source else " (--from)")


def _made(experiment: Experiment, record: TeacherRecord, watch: Watch) -> Content:
    """Train a teacher, or compute the predictions of an existing one."""
    if record.settings.source:
        return elsewhere.take(experiment, record.settings, watch)
    on_card = record.model.takes("device") and choose_device(record.settings.device).type == "cuda"
    free = torch.cuda.mem_get_info()[0] if on_card else None
    room.check_training(record.model, teacher_sizes(experiment.data, record.folds), experiment.run.path, free)
    return trained.train(experiment, record, watch)


def _cautions(experiment: Experiment) -> list[Text]:
    """Return notes on how this teacher was read, and on how it would mislead its students."""
    memory = remembers(experiment)
    return [*teacher_text(experiment), *([caution_text(memory)] if memory else [])]
