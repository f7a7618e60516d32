"""The table of student sets' scores after training: means and standard deviations over seeds."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from typing import Protocol

from kdcli.metrics import HUGE, RECORDED
from kdcli.report.table import Cell, Column, Row, Section, Table

FORMS = {"accuracy": ("{:.2f}", " %", 100), "errors": ("{:.0f}", "", 1), "nll": ("{:.4f}", "", 1)}


class ScoredSet(Protocol):
    """A student set with its scores, a value of each metric for each draw and seed."""

    @property
    def title(self) -> str:
        """The set's title."""

    @property
    def model(self) -> str:
        """The students' family and shape."""

    @property
    def metrics(self) -> Mapping[str, Sequence[Sequence[float]]]:
        """The scores."""


def score_table(sets: Iterable[ScoredSet]) -> Table:
    """Make a table of scores; numbers that describe the models, if there are any, replace the errors."""
    sets = list(sets)
    described = dict.fromkeys(name for scored in sets for name in scored.metrics if name not in RECORDED)
    names = ["accuracy", *([] if described else ["errors"]), "nll", *described]
    sections = [
        Section([Row(Cell(s.title), [_score(name, s.metrics) for name in names]) for s in group], model)
        for model, group in groupby(sets, lambda scored: scored.model)
    ]
    columns = [Column({"nll": "NLL (nats)"}.get(name, name)) for name in names]
    several = any(len(scored.metrics["accuracy"]) > 1 for scored in sets)
    over = "draws and seeds" if several else "seeds"
    return Table(columns, sections, f"students on the test split, mean (sd) over {over}")


def _score(name: str, metrics: Mapping[str, Sequence[Sequence[float]]]) -> Cell:
    if name not in metrics:
        return Cell()
    values = list(chain(*metrics[name]))
    if name in FORMS:
        return Cell(spread(values, *FORMS[name]))
    whole = all(float(value).is_integer() for value in values)
    return Cell(f"{statistics.fmean(values):.{0 if whole else 1}f}")


def spread(values: Sequence[float], form: str, unit: str = "", scale: float = 1) -> str:
    """Write the mean and standard deviation of values, or the only value; ∞ where any is infinite.

    The standard deviation is in brackets, since ± is reserved for intervals.
    """
    if math.isinf(max(values)):
        return "∞"
    if max(values) >= HUGE:
        form = "{:.1e}"
    scaled = [value * scale for value in values]
    mean = form.format(statistics.fmean(scaled))
    return f"{mean} ({form.format(statistics.stdev(scaled))}){unit}" if len(scaled) > 1 else mean + unit
