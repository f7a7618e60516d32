"""`kd train-teacher`: train the run's teacher, and store its checkpoint, logits and curves."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kdcli.errors import UsageError
from kdcli.losses import Objective
from kdcli.metrics import Scored, measure
from kdcli.models import parse_network
from kdcli.runs.edits import check_data
from kdcli.runs.experiment import Data, Experiment, TrainedTeacher
from kdcli.runs.kinds import TEACHER
from kdcli.runs.records import TeacherRecord
from kdcli.settings import override
from kdcli.targets import one_hot
from kdcli.training.devices import choose_device
from kdcli.training.loop import curves_of
from kdcli.training.parts import NotFiniteError, check_room, shape_of, train_network, unusable
from kdcli.training.resuming import ResumePoints, identity
from kdcli.training.watch import Watch, unwatched


@dataclass(frozen=True)
class TeacherTrained:
    """What `kd train-teacher` wrote; metrics are of the test split."""

    run: str
    path: Path
    up_to_date: bool
    model: str
    epochs: int
    metrics: dict[str, float]
    training_seconds: float


def train_teacher(
    experiment: Experiment, options: Mapping[str, Any], *, force: bool = False, watch: Watch = unwatched
) -> TeacherTrained:
    """Train the teacher of the run's recipe, changed by `options`, on the dataset's labels.

    Raises `KdError` where the data are missing or stale or not those of the recipe, another teacher is there
    and `force` does not allow to replace it, memory or the disk has no room for it, or the loss stops being
    finite.
    """
    run = experiment.run
    config = override(experiment.recipe.teacher, options)
    spec = parse_network(config.model)
    data = experiment.data
    check_data(experiment)
    start = time.perf_counter()
    if problem := spec.problem(data.features, len(data.splits["train"].y)):
        raise UsageError(f"model '{spec}': {problem}", "name another --model, such as mlp:64,64")
    choose_device(config.device)
    record = TeacherRecord.of(config)
    stored = experiment.stored(TEACHER)
    if isinstance(stored, TrainedTeacher):
        record = record.as_used(stored.record, stored.meta.used)
    given = [key for key, value in options.items() if value is not None]
    up_to_date = experiment.reusable(TEACHER, record, force=force, given=given)
    points = ResumePoints(run, "teacher")
    if not up_to_date:
        parents = {data.name: data.meta.digest}
        sizes = {name: len(split.y) for name, split in data.splits.items()}
        shape = shape_of(data, config, sets=1, seeds=1, taught=sizes["train"], predicted=sum(sizes.values()))
        check_room(spec, shape, run.path, precision=config.precision, device=config.device)
        try:
            trained = train_network(
                spec,
                config,
                data,
                lambda split: _objective(data, split),
                role="teacher",
                seeds=[config.seed],
                title=f"teacher {spec}",
                member=_named,
                watch=watch,
                points=points,
                identity=identity([record.to_record()], parents),
                x={name: split.x for name, split in data.splits.items()},
                predicted=list(data.splits),
                device=config.device,
                precision=config.precision,
                schedule=config.schedule,
            )
            unusable(trained.logits, config, member=_named)
        except NotFiniteError:
            points.clear()  # the same command would end there again
            raise
        logits = {name: of[0] for name, of in trained.logits.items()}
        seconds = time.perf_counter() - start
        metrics = measure(Scored(trained.logits["test"], data.splits["test"].y))
        tensors = {"model": trained.parameters, "logits": logits, "history": curves_of(trained.history, [0])}
        experiment.write(TEACHER, record, tensors, metrics, seconds, used=trained.used)
    points.clear()
    teacher = experiment.teacher
    scores = {name: values[0] for name, values in teacher.metrics.items()}
    return TeacherTrained(
        run.name, teacher.artefact.path, up_to_date, str(spec), config.epochs, scores, teacher.meta.seconds
    )


def _named(member: int) -> str:
    return "the teacher"


def _objective(data: Data, split: str) -> Objective:
    labels = one_hot(data.splits[split].y, data.n_classes).T.contiguous()
    temperature = torch.ones(1, 1, 1, dtype=torch.float64)
    return Objective(target=labels.unsqueeze(0), temperature=temperature, labels=labels)
