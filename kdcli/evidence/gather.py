"""The measurements of a run's students on its test split, for `kd compare` and for figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from torch import Tensor

from kdcli.data import Description
from kdcli.errors import Command, KdError, Text, UsageError, unknown
from kdcli.evidence.measures import measure, recalls
from kdcli.evidence.remedies import control_of, several_draws, training
from kdcli.evidence.tested import (
    bayes_on_test_splits,
    draws_of,
    on_test_splits,
    on_validation,
    scaling_of_students,
    scaling_of_teacher,
)
from kdcli.evidence.verdicts import Measured, StudentsMeasured, against_control, candidates
from kdcli.metrics import METRICS, find_metric
from kdcli.runs.edits import notes
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import DATA, TEACHER
from kdcli.runs.stored import Data, TrainedStudents, TrainedTeacher
from kdcli.runs.student_sets import CONTROL, StudentSet
from kdcli.scored import Scored
from kdcli.training.processor import keep_freed_memory

COMPARED = ("accuracy", "nll")
SCALED = "nll_scaled"  # measured only on request, since it needs predictions on validation examples
IMBALANCED = ("balanced_accuracy", "average_precision")
RARE = 0.2  # fraction of an even share of the examples, below which a class is rare


class Training(Protocol):
    """Gives the command that trains student sets."""

    def __call__(self, *sets: StudentSet) -> Command:
        """Return the command."""


@dataclass(frozen=True)
class StaleSet:
    """A student set that is left out since it is stale, and the command that renews it."""

    artefact: str
    folder: str
    set: StudentSet
    renew: Command


@dataclass(frozen=True)
class Evidence:
    """A run's students, measured and compared.

    `heading` is the run's name for headings. `bayes` measures the exact posterior on the test split, and is
    None if that is unknown. `teacher` is None if there is none, and so are its `teacher_logits` on the
    training split, `(draws, n, n_classes)`. `compared` are the metrics that have verdicts. `edits` are notes
    on artefacts that differ from the run's recipe, `training` gives commands that train missing sets,
    `more_draws` makes a run of several draws if there can be any, and `on_validation` measures the set in a
    folder by a metric.
    """

    run: str
    heading: str
    description: Description
    bayes: Measured | None
    teacher: Measured | None
    teacher_logits: Tensor | None
    students: Sequence[StudentsMeasured]
    control: str
    compared: Sequence[str]
    training: Training
    more_draws: Command | None
    on_validation: Callable[[str, str], float]
    stale: Sequence[StaleSet] = ()
    edits: Sequence[Text] = ()
    one_teacher: bool = False  # an existing teacher, the same in all draws

    @property
    def n_test(self) -> int:
        """Number of test examples."""
        return self.description.sizes["test"]

    @property
    def tests(self) -> int:
        """Number of comparisons that the verdicts are corrected for."""
        return sum(v.p_value is not None for measured in self.students for v in measured.versus.values())

    @property
    def draws(self) -> int:
        """Number of draws of the data."""
        return self.description.draws

    def named(self, folder: str) -> StudentsMeasured:
        """Return the student set in this folder."""
        return next(measured for measured in self.students if measured.name == folder)


def gather(
    experiment: Experiment,
    *,
    models: Sequence[str] = (),
    metrics: Sequence[str] = (),
    control: str | None = None,
    unpaired: bool = False,
) -> Evidence:
    """Measure the students of a run, of these models or of all, and compare each set with its control.

    `metrics` are compared in addition to accuracy and NLL. `control` is "labels" by default (see
    `verdicts.candidates`). Sets that cannot be paired with their control are compared if `unpaired`. Raises
    `UsageError` for unknown models, metrics and controls, and `KdError` if the data, the teacher or all
    students are missing or stale.
    """
    keep_freed_memory()
    data = experiment.data
    teacher = experiment.teacher if experiment.has_teacher else None
    _check_metrics(metrics, data, teacher)
    fresh, stale = student_sets(experiment, models)
    compared = tuple(dict.fromkeys((*COMPARED, *_for_imbalance(data), *metrics)))
    students = [_measure_students(trained, data, teacher, compared) for trained in fresh]
    return Evidence(
        run=experiment.run.name,
        heading=data.heading,
        description=data.description,
        bayes=_measure_bayes(data, compared),
        teacher=_measure_teacher(teacher, data, compared) if teacher else None,
        teacher_logits=teacher.logits["train"] if teacher else None,
        one_teacher=teacher is not None and not teacher.is_kept,
        students=_compared(experiment, students, compared, control, unpaired),
        control=control or CONTROL,
        compared=compared,
        training=partial(training, experiment),
        more_draws=several_draws(experiment),
        on_validation=_validation(data, fresh),
        stale=[StaleSet(t.name, t.folder, t.set, t.command.adding(force=True)) for t in stale],
        edits=notes(experiment, [DATA, TEACHER, *(trained.name for trained in fresh)]),
    )


def _validation(data: Data, sets: Sequence[TrainedStudents]) -> Callable[[str, str], float]:
    trained = {each.folder: each for each in sets}
    return lambda folder, metric: on_validation(data, trained[folder], metric)


def _compared(
    experiment: Experiment,
    students: Sequence[StudentsMeasured],
    compared: Sequence[str],
    asked: str | None,
    unpaired: bool,
) -> list[StudentsMeasured]:
    """Compare sets with their controls; sets without a control get the command that trains it."""
    if asked:
        _check_control(experiment, students, asked)
    control = asked or CONTROL
    sets = against_control(students, compared, control, unpaired)
    return [replace(s, remedy=control_of(experiment, s, control)) if s.why else s for s in sets]


def student_sets(
    experiment: Experiment, models: Sequence[str] = ()
) -> tuple[list[TrainedStudents], list[TrainedStudents]]:
    """Return the fresh and the stale sets of these models, or of all; raises `KdError` if none is fresh."""
    run, sets = experiment.run, experiment.students(models)
    if not sets:
        raise KdError(f"run {run.name} has no students yet", ("train them with ", run.command("distill")))
    stale = [trained for trained in sets if trained.stale]
    if len(stale) == len(sets):
        raise KdError(
            f"all students of run {run.name} are stale: what they were made from has been replaced since",
            ("renew them, for example with ", sets[0].command.adding(force=True)),
        )
    return [trained for trained in sets if trained not in stale], stale


def _for_imbalance(data: Data) -> tuple[str, ...]:
    """Return metrics that say more than accuracy if a class is rare, with a fifth of an even share."""
    counts = data.pool.labels("train").bincount(minlength=data.n_classes)
    rare = int(counts.min()) < RARE * int(counts.sum()) / data.n_classes
    return IMBALANCED if rare and data.dataset.opened else ()


def _check_metrics(metrics: Sequence[str], data: Data, teacher: TrainedTeacher | None) -> None:
    """Refuse metrics that need what this run does not have."""
    known = {"posterior": data.description.bayes is not None, "teacher": teacher is not None}
    known |= {"labels": True, "scaling": True}
    for name in metrics:
        needs = find_metric(name).needs
        if not METRICS[name].inferred:
            usable = ", ".join(name for name, metric in METRICS.items() if metric.inferred)
            raise UsageError(
                f"{name} has no interval, and so no verdict; it is in the table of other metrics",
                f"metrics with an interval: {usable}",
            )
        if not known[needs]:
            posterior = f"the exact posterior, which is unknown for {data.description.name}"
            what = "a teacher" if needs == "teacher" else posterior
            usable = ", ".join(name for name, metric in METRICS.items() if known[metric.needs])
            raise UsageError(f"the metric {name} needs {what}", f"metrics of this run: {usable}")


def _check_control(experiment: Experiment, students: Sequence[StudentsMeasured], control: str) -> None:
    """Raise `UsageError` unless the control is among the students."""
    if candidates(students, control):
        return
    if control in (trained.folder for trained in experiment.students()):
        raise UsageError(
            f"the control {control} is not among the students that are compared",
            "leave out --model, or name its model too",
        )
    known = dict.fromkeys([*(s.name for s in students), *(s.set.stem() for s in students)])
    raise unknown("student set", control, known)


def _measure_students(
    trained: TrainedStudents, data: Data, teacher: TrainedTeacher | None, compared: Sequence[str]
) -> StudentsMeasured:
    scaling = scaling_of_students(data, trained) if SCALED in compared else None
    taught = teacher.logits["test"] if teacher else None
    scored = on_test_splits(data, trained.load_tested(), taught, scaling)
    return StudentsMeasured(
        trained.set.title(trained.folder, whole=False),
        trained.set.group,
        **_measurements(data, scored, compared),
        name=trained.folder,
        set=trained.set,
    )


def _measure_teacher(teacher: TrainedTeacher, data: Data, compared: Sequence[str]) -> Measured:
    scaling = scaling_of_teacher(data, teacher) if SCALED in compared else None
    scored = on_test_splits(data, teacher.load_tested(), scaling=scaling)
    return Measured("teacher", str(teacher.model), **_measurements(data, scored, compared))


def _measure_bayes(data: Data, compared: Sequence[str]) -> Measured | None:
    scored = bayes_on_test_splits(data)
    return Measured("Bayes optimum", "", **_measurements(data, scored, compared)) if scored else None


def _measurements(data: Data, scored: Sequence[Scored], compared: Sequence[str]) -> dict[str, Any]:
    """Return the fields of `Measured` that are measured."""
    how, own = draws_of(data.description), data.dataset.opened is not None
    estimates, per_seed, values = measure(scored, compared, how, own=own)
    recall = recalls(scored, how) if own else ()
    counts = [of_draw.y.bincount() for of_draw in scored]
    rarest = min(int(of_draw[of_draw > 0].min()) for of_draw in counts)
    found = {"estimates": estimates, "per_seed": per_seed, "values": values}
    return {**found, "how": how, "recall": recall, "rarest": rarest}
