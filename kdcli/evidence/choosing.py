"""The smallest students that are good enough, chosen on validation examples; the test split is not used."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kdcli.errors import KdError
from kdcli.evidence.costs import Cost, measure_costs
from kdcli.evidence.gather import student_sets
from kdcli.evidence.tested import mean_on_validation, on_validation
from kdcli.metrics import METRICS
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import TrainedStudents

UNBOUNDED = float("inf")


@dataclass(frozen=True)
class Budget:
    """The limits on a student's cost, and on its distance from a reference on a metric.

    `within` is in the metric's values, so .005 is half a point of accuracy; the reference is the best set, or
    the teacher with `of_teacher`. `latency_ms` limits the median prediction, `size` the bytes of a student.
    """

    metric: str = "accuracy"
    within: float = 0.005
    of_teacher: bool = False
    latency_ms: float = UNBOUNDED
    size: float = UNBOUNDED


@dataclass(frozen=True)
class Candidate:
    """A student set with its mean on validation examples and its cost; `misses` are the limits it exceeds."""

    trained: TrainedStudents
    value: float
    cost: Cost
    misses: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it is within the budget."""
        return not self.misses


@dataclass(frozen=True)
class Choice:
    """All sets by size, the smallest first, and the value of the metric that they are compared with."""

    candidates: Sequence[Candidate]
    reference: float
    teacher: float | None

    @property
    def chosen(self) -> Candidate | None:
        """The smallest set within the budget; None if there is none."""
        return next((candidate for candidate in self.candidates if candidate.fits), None)


def choose(experiment: Experiment, budget: Budget) -> Choice:
    """Measure and time the sets, and sort them by size; of equal size, the better set comes first.

    Raises `KdError` without students that are not stale.
    """
    sets = [trained for trained in student_sets(experiment)[0] if trained.set.taught.teaches]
    if not sets:
        raise KdError(f"run {experiment.run.name} has no students taught by a teacher or by labels")
    data, metric = experiment.data, METRICS[budget.metric]
    sign = 1 if metric.better == "higher" else -1
    costs = measure_costs(sets, data)
    values = {trained.folder: on_validation(data, trained, budget.metric) for trained in sets}
    teacher = _of_teacher(experiment, budget.metric)
    best = max(values.values(), key=lambda value: sign * value)
    reference = teacher if budget.of_teacher and teacher is not None else best
    found = [
        Candidate(
            trained,
            value,
            cost,
            tuple(_misses(budget, cost, behind=sign * (reference - value))),
        )
        for trained in sets
        for value, cost in [(values[trained.folder], costs[trained.folder])]
    ]
    by_size = sorted(found, key=lambda candidate: (candidate.cost.bytes, -sign * candidate.value))
    return Choice(by_size, reference, teacher)


def _misses(budget: Budget, cost: Cost, behind: float) -> Iterable[str]:
    """Yield the limits that a set exceeds: the distance on the metric, the latency, or the size."""
    if behind > budget.within + 1e-12:
        yield "metric"
    if cost.latency_ms > budget.latency_ms:
        yield "latency"
    if cost.bytes > budget.size:
        yield "size"


def _of_teacher(experiment: Experiment, name: str) -> float | None:
    """Return the teacher's mean of a metric on validation examples; None without a teacher."""
    if not experiment.has_teacher:
        return None
    return mean_on_validation(experiment.data, experiment.teacher.logits["val"], name)
