"""`kd choose`: the smallest students within a budget of accuracy, latency and size."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from kdcli.errors import Command, KdError, Text, UsageError
from kdcli.evidence.choosing import UNBOUNDED, Budget, Candidate, Choice
from kdcli.evidence.choosing import choose as weigh
from kdcli.metrics import METRICS, find_metric
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.told import Line, Told
from kdcli.report.words import number, quantity
from kdcli.runs.experiment import Experiment

UNITS = {  # units that --latency and --size take, in milliseconds and bytes
    "latency": {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3},
    "size": {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9},
}
OF_TEACHER = {"best": False, "teacher": True}  # what --of takes
MISSED = {"metric": "not good enough", "latency": "too slow", "size": "too large"}


@dataclass(frozen=True)
class Chosen:
    """The smallest student set within a budget, and all candidates."""

    run: str
    budget: Budget
    choice: Choice
    predict: Command | None

    def told(self) -> Iterator[Told]:
        """Return the choice, the table that proves it, and what to do with it."""
        yield Line(self._finding, wrap=True)
        yield ""
        yield self._table
        if self.predict:
            export = replace(self.predict, name="export", arguments=self.predict.arguments[:1])
            yield Line((self.predict, " predicts with it; ", export, " writes it to a file."), wrap=True)

    @property
    def _finding(self) -> Text:
        chosen, metric = self.choice.chosen, METRICS[self.budget.metric]
        whose = "the teacher's" if self.budget.of_teacher else "the best set's"
        reference = f"{whose} {quantity(self.choice.reference, metric.unit)}"
        within = f"{number(self.budget.within, metric.unit)} of {reference}"
        if chosen is None:
            return (
                f"No student set is within the budget: {metric.title} on validation examples within {within}."
            )
        size = quantity(chosen.cost.bytes, "bytes")
        return (
            f"The smallest student set within the budget is {chosen.trained.folder}: {size}, {metric.title} "
            f"{quantity(chosen.value, metric.unit)} on validation examples, within {within}."
        )

    @property
    def _table(self) -> Table:
        metric = METRICS[self.budget.metric]
        columns = [
            Column("bytes"),
            Column("latency\nmedian"),
            Column(f"{metric.title}\n(validation)"),
            Column("budget", left=True),
        ]
        rows = [self._row(candidate) for candidate in self.choice.candidates]
        return Table(columns, [Section(rows)], head=Column("student set, by size", left=True, folds=True))

    def _row(self, candidate: Candidate) -> Row:
        is_chosen = candidate is self.choice.chosen
        told = ", ".join(MISSED[miss] for miss in candidate.misses) or "within"
        return Row(
            Cell(candidate.trained.folder, emphasis="strong" if is_chosen else ""),
            [
                Cell(candidate.cost.bytes, "bytes"),
                Cell(candidate.cost.latency_ms, "ms"),
                Cell(candidate.value, METRICS[self.budget.metric].unit),
                Cell(told, emphasis="good" if candidate.fits else "weak"),
            ],
            mark="*" if is_chosen else "",
        )

    def document(self) -> dict[str, Any]:
        """Return the choice, the budget, and all sets by size."""
        chosen = self.choice.chosen
        return {
            "run": self.run,
            "chosen": chosen.trained.folder if chosen else None,
            "budget": asdict(self.budget),
            "reference": self.choice.reference,
            "teacher": self.choice.teacher,
            "students": [
                {
                    "name": candidate.trained.folder,
                    "validation": candidate.value,
                    "cost": asdict(candidate.cost),
                    "misses": candidate.misses,
                }
                for candidate in self.choice.candidates
            ],
        }


def choose(
    experiment: Experiment,
    *,
    within: float,
    of: str,
    metric: str,
    latency: str = "",
    size: str = "",
) -> Chosen:
    """Choose the smallest student set whose `metric` is `within` a distance of the best, or of the teacher.

    The metric is measured on validation examples; the distance is in points if it is a share. Raises
    `UsageError` for a metric that needs more than labels and for an invalid time or size, and `KdError`
    without students.
    """
    kind = find_metric(metric)
    if kind.needs != "labels" or kind.total or not kind.inferred:
        raise UsageError(
            f"--metric: students cannot be chosen by {metric}",
            "choose by accuracy, nll or roc_auc, for example",
        )
    budget = Budget(
        metric,
        within / 100 if kind.unit == "%" else within,
        OF_TEACHER[of],
        _measure(latency, "latency"),
        _measure(size, "size"),
    )
    if budget.of_teacher and not experiment.has_teacher:
        raise KdError(f"run {experiment.run.name} has no teacher", "use --of best, which needs none")
    choice = weigh(experiment, budget)
    chosen = choice.chosen
    predict = experiment.run.command("predict", chosen.trained.folder, "FILE") if chosen else None
    return Chosen(experiment.run.name, budget, choice, predict)


def _measure(text: str, what: str) -> float:
    """Parse a time into milliseconds or a size into bytes, such as "1ms" or "100kB"; empty means no bound."""
    if not text:
        return UNBOUNDED
    units = UNITS[what]
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([a-zµ]+)", text.strip().lower())
    if not match or match[2] not in units:
        example = {"latency": "0.5ms", "size": "100kB"}[what]
        raise UsageError(f"--{what}: '{text}' is not a number with a unit", f"for example {example}")
    return float(match[1]) * units[match[2]]
