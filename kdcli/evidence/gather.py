"""All that is known of a run's students on its test split: what `kd compare` tells and figures draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from kdcli.errors import KdError, UsageError, unknown
from kdcli.evidence.verdicts import Measured, StudentsMeasured, against_control, candidates
from kdcli.metrics import METRICS, Metric, Scored, find_metric
from kdcli.runs.experiment import Data, Experiment, TrainedStudents, TrainedTeacher
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.student_sets import CONTROL
from kdcli.stats import Estimate, estimate
from kdcli.training.processor import keep_freed_memory

COMPARED = ("accuracy", "nll")


@dataclass(frozen=True)
class Evidence:
    """A run's students, measured and compared.

    `optimum` scores the Bayes classifier over the whole distribution and `bayes` measures it on the test
    split; both are None where the posterior is not known. `trained_teacher` and `teacher` are None where
    there is none. `compared` are the metrics that have verdicts. `left_out` are the sets that are stale.
    """

    experiment: Experiment
    data: Data
    optimum: Mapping[str, float] | None
    bayes: Measured | None
    trained_teacher: TrainedTeacher | None
    teacher: Measured | None
    students: Sequence[StudentsMeasured]
    control: str
    compared: Sequence[str]
    left_out: Sequence[TrainedStudents]

    @property
    def tests(self) -> int:
        """Number of comparisons that the verdicts are corrected for."""
        return sum(v.p_value is not None for one in self.students for v in one.versus.values())


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
    data, run = experiment.data, experiment.run
    trained_teacher = experiment.teacher if experiment.has_teacher else None
    _check_metrics(metrics, data, trained_teacher)
    sets = experiment.students(models)
    if not sets:
        raise KdError(f"run {run.name} has no students yet", ("train them with ", run.command("distill")))
    stale = [trained for trained in sets if trained.stale]
    if len(stale) == len(sets):
        raise KdError(
            f"all students of run {run.name} are stale: what they were made from was since replaced",
            ("renew them, such as with ", sets[0].command.adding(force=True)),
        )
    compared = tuple(dict.fromkeys((*COMPARED, *metrics)))
    test = data.splits["test"]
    logits = trained_teacher.load_tested() if trained_teacher else None
    taught = None if logits is None else logits[0]
    students = []
    for trained in sets:
        if trained not in stale:
            scored = Scored(trained.load_tested(), test.y, taught, test.posterior)
            shown = trained.set.title(trained.folder, whole=False)
            measures = _measure(scored, compared)
            students.append(StudentsMeasured(shown, trained.set.group, *measures, trained))
    if control and not candidates(students, control):
        if experiment.stored(f"{STUDENTS}/{control}"):
            raise UsageError(
                f"the control {control} is not among the students that are compared",
                "leave out --model, or name its model too",
            )
        known = dict.fromkeys([*(one.name for one in students), *(one.set.stem() for one in students)])
        raise unknown("student set", control, known)
    teacher = None
    if trained_teacher and logits is not None:
        scored = Scored(logits, test.y, None, test.posterior)
        teacher = Measured("teacher", str(trained_teacher.model), *_measure(scored, compared))
    bayes = None
    if test.posterior is not None:
        scored = Scored(test.posterior.log().unsqueeze(0), test.y, None, test.posterior)
        bayes = Measured("Bayes optimum", "", *_measure(scored, compared))
    return Evidence(
        experiment=experiment,
        data=data,
        optimum=data.description.bayes._asdict() if data.description.bayes else None,
        bayes=bayes,
        trained_teacher=trained_teacher,
        teacher=teacher,
        students=against_control(students, compared, control or CONTROL, unpaired),
        control=control or CONTROL,
        compared=compared,
        left_out=stale,
    )


def _check_metrics(metrics: Sequence[str], data: Data, teacher: TrainedTeacher | None) -> None:
    """Refuse metrics that need what this run does not have."""
    there = {"labels": True, "teacher": teacher is not None, "posterior": data.description.bayes is not None}
    for name in metrics:
        needs = find_metric(name).needs
        if not there[needs]:
            posterior = f"the exact posterior, which is not known for {data.description.name}"
            what = "a teacher" if needs == "teacher" else posterior
            known = ", ".join(name for name, metric in METRICS.items() if there[metric.needs])
            raise UsageError(f"the metric {name} needs {what}", f"metrics here: {known}")


def _measure(
    scored: Scored, compared: Sequence[str]
) -> tuple[dict[str, Estimate], dict[str, list[float]], dict[str, Tensor]]:
    """Return every metric that there is with its interval, by seed, and the values of those `compared`."""
    there = {"labels": scored.y, "teacher": scored.teacher, "posterior": scored.posterior}
    estimates, per_seed, kept = {}, {}, {}
    for name, metric in METRICS.items():
        if there[metric.needs] is None:
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
