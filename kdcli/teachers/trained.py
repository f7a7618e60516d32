"""Teachers that kd trains: one for each draw, and for out-of-fold labels one for each fold."""

import time
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from kdcli.errors import KdError
from kdcli.models.family import Fitted, Teaching
from kdcli.progress import Watch
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import TEACHER
from kdcli.runs.records import TeacherRecord
from kdcli.store import Content
from kdcli.teachers.folds import Held, group_folds, held_out, stratified_folds
from kdcli.training.material import teacher_teaching
from kdcli.training.resuming import ResumePoints, identity
from kdcli.training.scores import scores_on_test
from kdcli.training.workshop import Computation, NotFiniteError, TrainingWorkshop
from kdcli.words import counted

FOLDED = "train-folds"  # part of the names of the saved states of trainings on folds


def train(experiment: Experiment, record: TeacherRecord, watch: Watch) -> Content:
    """Train the teachers of all draws; raises `NotFiniteError` if a loss becomes non-finite."""
    start = time.perf_counter()
    data = experiment.data
    teaching = teacher_teaching(data, record.settings.seed, record.settings.class_weight)
    labels = _of_unseen(experiment, record, teaching, watch) if record.folds > 1 else None
    fitted = _fitted(experiment, record, teaching, watch, TEACHER)
    logits = {split: values[:, 0] for split, values in fitted.logits.items()}
    if labels is not None:
        logits["train"] = labels
    tensors: dict[str, Mapping[str, Tensor]] = {"model": fitted.tensors, "logits": logits}
    if fitted.history:
        tensors["history"] = fitted.history._asdict()
    scores = scores_on_test(fitted.logits["test"], data)
    seconds = time.perf_counter() - start
    used = {**fitted.used, "folds": str(record.folds)}
    return Content(tensors, {**scores, **fitted.described}, seconds, used)


def points_of(experiment: Experiment) -> list[ResumePoints]:
    """Return the resume points of the trainings of a run's teacher."""
    return [ResumePoints(experiment.run, name) for name in (TEACHER, f"{TEACHER}-{FOLDED}")]


def _of_unseen(experiment: Experiment, record: TeacherRecord, teaching: Teaching, watch: Watch) -> Tensor:
    """Label the training examples of each draw by teachers that have not seen them, `(draws, n, classes)`."""
    pool, seed, count = experiment.data.pool, experiment.data.seed, record.folds
    y, rows = pool.y[pool.index["train"]], pool.index["train"]
    if count > y.shape[1]:
        raise KdError(f"{y.shape[1]} training examples are too few for {count} folds", "use fewer --folds")
    if pool.group is None:
        folds = [stratified_folds(y[draw], count, seed, draw) for draw in range(len(y))]
    else:
        folds = [group_folds(y[draw], pool.group[rows[draw]], count, seed, draw) for draw in range(len(y))]
    parts: list[tuple[int, Tensor, Tensor]] = []
    for number, held in enumerate(held_out(folds, count)):
        name = f"{TEACHER}-{FOLDED}.{number}"
        without = replace(_taught_without(teaching, held), role=f"teacher/folds/{number}")
        fitted = _fitted(experiment, record, without, watch, name, held)
        parts += zip(held.draws, held.apart, fitted.logits["apart"][:, 0], strict=True)
    labels = parts[0][2].new_empty(*y.shape, teaching.n_classes)
    for draw, apart, logits in parts:
        labels[draw, apart] = logits
    return labels


def _taught_without(teaching: Teaching, held: Held) -> Teaching:
    """Return the teaching of the teachers that do not see these folds, with one draw for each fold."""
    draws = torch.tensor(held.draws)
    train, val = (teaching.index[split][draws] for split in ("train", "val"))
    others = held.others.unsqueeze(2).expand(-1, -1, teaching.n_classes)
    labels = {
        "train": teaching.labels["train"][draws].gather(1, others),
        "val": teaching.labels["val"][draws],
    }
    weights = teaching.weights and {
        "train": teaching.weights["train"][draws].gather(1, held.others),
        "val": teaching.weights["val"][draws],
    }
    lesson = replace(teaching.lessons[0], targets=labels)
    index = {
        "train": train.gather(1, held.others),
        "val": val,
        "apart": train.gather(1, held.apart),
    }
    return replace(
        teaching, index=index, labels=labels, lessons=[lesson], predicted=["apart"], weights=weights
    )


def _fitted(
    experiment: Experiment,
    record: TeacherRecord,
    teaching: Teaching,
    watch: Watch,
    name: str,
    held: Held | None = None,
) -> Fitted:
    """Train a teacher for each draw of a teaching, or each fold `held` out; `name` names its saved state."""
    data, model, config = experiment.data, record.model, record.settings
    points, draws = ResumePoints(experiment.run, name), teaching.draws

    def named(place: int) -> str:
        if held:
            return f"the teacher of draw {held.draws[place]} that leaves out fold {held.numbers[place]}"
        return f"the teacher of draw {place}" if draws > 1 else "the teacher"

    workshop = TrainingWorkshop(
        training=config,
        title=f"{counted(draws, 'teacher')} {model}, for folds" if held else f"teacher {model}",
        name_member=lambda k, seed, draw: named(draw),
        open_display=watch,
        points=points,
        identity=identity([record.to_record()], {data.name: data.meta.digest}),
        computation=Computation(config.device, config.precision, config.schedule),
    )
    try:
        (fitted,) = model.train(teaching, workshop)
    except NotFiniteError:
        points.clear()  # the same command would fail there again
        raise
    return fitted
