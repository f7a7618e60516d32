"""All that is known of a run's students on its test split: what `kd compare` tells and figures draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from torch import Tensor

from kdcli.data import Description
from kdcli.errors import Command, KdError, Text, UsageError, unknown
from kdcli.evidence.remedies import control_of, training
from kdcli.evidence.verdicts import Measured, StudentsMeasured, against_control, candidates
from kdcli.metrics import METRICS, Metric, Scored, find_metric
from kdcli.runs.edits import notes
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import DATA, TEACHER
from kdcli.runs.stored import Data, TrainedStudents, TrainedTeacher
from kdcli.runs.student_sets import CONTROL, StudentSet
from kdcli.stats import Estimate, estimate
from kdcli.training.processor import keep_freed_memory

COMPARED = ("accuracy", "nll")


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

    `heading` is what a heading calls the run. `bayes` measures the exact posterior on the test split, and is
    None where it is not known. `teacher` is None without one, and so are its `teacher_logits` on the training
    split, `(n, n_classes)`. `compared` are the metrics that have verdicts. `edits` say what was made with
    other settings than the run's recipe has, and `training` gives commands that train what is missing.
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
    stale: Sequence[StaleSet] = ()
    edits: Sequence[Text] = ()

    @property
    def n_test(self) -> int:
        """Number of test examples."""
        return self.description.sizes["test"]

    @property
    def tests(self) -> int:
        """Number of comparisons that the verdicts are corrected for."""
        return sum(v.p_value is not None for measured in self.students for v in measured.versus.values())

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

    `metrics` are compared besides accuracy and NLL. `control` is "labels" unless told otherwise (see
    `verdicts.candidates`). Sets that cannot be paired with theirs are compared if `unpaired` allows it.

    Raises `UsageError` for models, metrics and controls that are not there, and `KdError` where data,
    teacher or all students are missing or stale.
    """
    keep_freed_memory()
    data = experiment.data
    teacher = experiment.teacher if experiment.has_teacher else None
    _check_metrics(metrics, data, teacher)
    fresh, stale = _student_sets(experiment, models)
    compared = tuple(dict.fromkeys((*COMPARED, *metrics)))
    students = [_measure_students(trained, data, teacher, compared) for trained in fresh]
    if control:
        _check_control(experiment, students, control)
    control = control or CONTROL
    return Evidence(
        run=experiment.run.name,
        heading=data.heading,
        description=data.description,
        bayes=_measure_bayes(data, compared),
        teacher=_measure_teacher(teacher, data, compared) if teacher else None,
        teacher_logits=teacher.logits["train"] if teacher else None,
        students=_with_remedies(experiment, against_control(students, compared, control, unpaired), control),
        control=control,
        compared=compared,
        training=partial(training, experiment),
        stale=[StaleSet(t.name, t.folder, t.set, t.command.adding(force=True)) for t in stale],
        edits=notes(experiment, [DATA, TEACHER, *(trained.name for trained in fresh)]),
    )


def _with_remedies(
    experiment: Experiment, students: Sequence[StudentsMeasured], control: str
) -> list[StudentsMeasured]:
    """Give the sets without a control the command that trains one."""
    return [replace(s, remedy=control_of(experiment, s, control)) if s.why else s for s in students]


def _student_sets(
    experiment: Experiment, models: Sequence[str]
) -> tuple[list[TrainedStudents], list[TrainedStudents]]:
    """Return the fresh sets of these models, or of all, and the stale ones; raises unless some are fresh."""
    run, sets = experiment.run, experiment.students(models)
    if not sets:
        raise KdError(f"run {run.name} has no students yet", ("train them with ", run.command("distill")))
    stale = [trained for trained in sets if trained.stale]
    if len(stale) == len(sets):
        raise KdError(
            f"all students of run {run.name} are stale: what they were made from was since replaced",
            ("renew them, such as with ", sets[0].command.adding(force=True)),
        )
    return [trained for trained in sets if trained not in stale], stale


def _check_metrics(metrics: Sequence[str], data: Data, teacher: TrainedTeacher | None) -> None:
    """Refuse metrics that need what this run does not have."""
    known = {"labels": True, "teacher": teacher is not None, "posterior": data.description.bayes is not None}
    for name in metrics:
        needs = find_metric(name).needs
        if not known[needs]:
            posterior = f"the exact posterior, which is not known for {data.description.name}"
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
    test = data.splits["test"]
    scored = Scored(
        trained.load_tested(), test.y, teacher.logits["test"] if teacher else None, test.posterior
    )
    title = trained.set.title(trained.folder, whole=False)
    return StudentsMeasured(
        title, trained.set.group, *measure(scored, compared), name=trained.folder, set=trained.set
    )


def _measure_teacher(teacher: TrainedTeacher, data: Data, compared: Sequence[str]) -> Measured:
    test = data.splits["test"]
    scored = Scored(teacher.load_tested(), test.y, None, test.posterior)
    return Measured("teacher", str(teacher.model), *measure(scored, compared))


def _measure_bayes(data: Data, compared: Sequence[str]) -> Measured | None:
    test = data.splits["test"]
    if test.posterior is None:
        return None
    scored = Scored(test.posterior.log().unsqueeze(0), test.y, None, test.posterior)
    return Measured("Bayes optimum", "", *measure(scored, compared))


def measure(
    scored: Scored, compared: Sequence[str]
) -> tuple[dict[str, Estimate], dict[str, list[float]], dict[str, Tensor]]:
    """Return every metric that applies with its interval, by seed, and the values of those `compared`."""
    given = {"labels": scored.y, "teacher": scored.teacher, "posterior": scored.posterior}
    estimates, per_seed, kept = {}, {}, {}
    for name, metric in METRICS.items():
        if given[metric.needs] is None:
            continue
        values = metric.values(scored)
        if values.shape[-1] == 0:  # no example to look at, such as none that the teacher gets wrong
            continue
        scale = metric.scale(values)
        estimates[name] = estimate_metric(metric, values)
        means = (scale * values.mean(-1)).tolist()
        per_seed[name] = [round(mean) for mean in means] if metric.total else means
        if name in compared:
            kept[name] = values
    return estimates, per_seed, kept


def estimate_metric(metric: Metric, values: Tensor) -> Estimate:
    """Estimate a metric from its `values (seeds, n)`; the interval ends where the metric's range does."""
    scale = metric.scale(values)
    mean, low, high = estimate(scale * values)
    return Estimate(mean, max(low, 0.0), min(high, scale * metric.most))
