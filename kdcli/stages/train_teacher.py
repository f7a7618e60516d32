"""`kd train-teacher`: train the run's teacher, and store its checkpoint, logits and curves."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kdcli.metrics import measure_one
from kdcli.models import Model, parse_model
from kdcli.progress import Watch, unwatched
from kdcli.runs import room
from kdcli.runs.artefacts import Data, load_data, read_meta, run_recipe
from kdcli.runs.edits import check_data, teacher_record
from kdcli.runs.recipe import Teacher
from kdcli.settings import override
from kdcli.store import Artefact, Run
from kdcli.training import refusals
from kdcli.training.devices import choose_device
from kdcli.training.material import teacher_sizes, teacher_teaching
from kdcli.training.resuming import ResumePoints, identity
from kdcli.training.workshop import Computation, NotFiniteError, TrainingWorkshop


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
    run: Run, options: Mapping[str, Any], *, force: bool = False, watch: Watch = unwatched
) -> TeacherTrained:
    """Train the teacher of the run's recipe, changed by `options`, on the dataset's labels.

    Raises `KdError` where the data are missing or stale or not those of the recipe, another teacher is there
    and `force` does not allow to replace it, memory or the disk has no room for it, or the loss stops being
    finite.
    """
    recipe = run_recipe(run)
    config = override(recipe.teacher, options)
    artefact = run.artefact("teacher")
    model = parse_model(config.model)
    refusals.check_settings(options, Teacher, [model])
    data = load_data(run)
    check_data(recipe, data.artefact)
    refusals.check_models([model], data, len(data.splits["train"].y), "mlp:64,64")
    on_card = model.takes("device") and choose_device(config.device).type == "cuda"
    record = teacher_record(config, read_meta(artefact) if artefact.finished else None)
    given = [key for key, value in options.items() if value is not None]
    up_to_date = artefact.up_to_date(record, [data.artefact], force, given, data.beside)
    points = ResumePoints(run, "teacher")
    if not up_to_date:
        free = torch.cuda.mem_get_info()[0] if on_card else None
        room.check_training(model, teacher_sizes(data), run.path, free)
        _train(model, config, data, record, artefact, points, watch)
    points.clear()
    meta = artefact.meta()
    epochs = config.epochs if model.takes("epochs") else 0
    return TeacherTrained(run.name, artefact.path, up_to_date, str(model), epochs, meta.metrics, meta.seconds)


def _train(
    model: Model,
    config: Teacher,
    data: Data,
    record: Mapping[str, Any],
    artefact: Artefact,
    points: ResumePoints,
    watch: Watch,
) -> None:
    """Train a teacher and store it."""
    start = time.perf_counter()
    workshop = TrainingWorkshop(
        training=config,
        title=f"teacher {model}",
        name_member=lambda k, seed: "the teacher",
        open_display=watch,
        points=points,
        identity=identity([record], {data.artefact.name: data.artefact.meta().digest}),
        computation=Computation(config.device, config.precision, config.schedule),
    )
    try:
        (fitted,) = model.train(teacher_teaching(data, config.seed), workshop)
    except NotFiniteError:
        points.clear()  # the same command would end there again
        raise
    logits = {split: values[0] for split, values in fitted.logits.items()}
    described = {name: values[0] for name, values in fitted.described.items()}
    metrics = {**measure_one(logits["test"], data.splits["test"].y), **described}
    tensors = {"model": fitted.tensors, "logits": logits}
    if fitted.history:
        tensors["history"] = fitted.history._asdict()
    seconds = time.perf_counter() - start
    artefact.write("train-teacher", record, [data.artefact], tensors, metrics, seconds, fitted.used)
