"""The smallest students that are good enough, by validation examples: the test split has no part in it."""

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
    """What a student may cost, and how far it may be behind on a metric.

    `within` is in the metric's values, so .005 is half a point of accuracy: behind the best set, or behind
    the teacher with `of_teacher`. A prediction may take so many `latency_ms` (the median), and a student may
    have so many bytes (`size`).
    """

    metric: str = "accuracy"
    within: float = 0.005
    of_teacher: bool = False
    latency_ms: float = UNBOUNDED
    size: float = UNBOUNDED


@dataclass(frozen=True)
class Candidate:
    """A student set with its mean on validation examples and its cost; `misses` say what is too much."""

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
    """All sets by size, the smallest first, and what the budget is held against on the metric."""

    candidates: Sequence[Candidate]
    reference: float
    teacher: float | None

    @property
    def chosen(self) -> Candidate | None:
        """The smallest set within the budget; None where there is none."""
        return next((candidate for candidate in self.candidates if candidate.fits), None)


def choose(experiment: Experiment, budget: Budget) -> Choice:
    """Measure sets on the validation split and weigh them; of two of a size the better one comes first.

    Raises `KdError` without students that are not stale.
    """
    sets = [trained for trained in student_sets(experiment)[0] if trained.set.taught.teaches]
    if not sets:
        raise KdError(f"run {experiment.run.name} has no students that a teacher or labels taught")
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
    """Yield what is too much of a set: how far it is behind, its latency, or its size."""
    if behind > budget.within + 1e-12:
        yield "metric"
    if cost.latency_ms > budget.latency_ms:
        yield "latency"
    if cost.bytes > budget.size:
        yield "size"


def _of_teacher(experiment: Experiment, name: str) -> float | None:
    """Return the mean of a metric of the teacher on validation examples; None without one."""
    if not experiment.has_teacher:
        return None
    return mean_on_validation(experiment.data, experiment.teacher.logits["val"], name)
