"""The evidence as JSON and CSV, from the cells of its tables."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from kdcli.commands import text
from kdcli.metrics import METRICS, mean_over
from kdcli.report.cautions import caution_text
from kdcli.report.evidence import metrics_table, set_facts
from kdcli.report.headline import headline
from kdcli.report.sentences import obstacle_text, sentences
from kdcli.report.table import Cell, Row
from kdcli.runs.student_sets import LOST

if TYPE_CHECKING:
    from kdcli.evidence.conclusions import Conclusions
    from kdcli.evidence.costs import Cost
    from kdcli.evidence.findings import Attribution
    from kdcli.evidence.gather import Evidence, StaleSet
    from kdcli.evidence.new_examples import NewExamples
from kdcli.evidence.verdicts import Measured, StudentsMeasured, Versus

CSV_COLUMNS = (
    "run",
    "name",
    "group",
    "target",
    "temperature",
    "auto_temperature",
    "smoothing",
    "auto_smoothing",
    "model",
    "seeds",
    *LOST,
    "metric",
    "mean",
    "low",
    "high",
    "control",
    "paired",
    "difference",
    "difference_seeds",
    "difference_draws",
    "difference_low",
    "difference_high",
    "p_value",
    "p_holm",
    "verdict",
)


def document(conclusions: Conclusions) -> dict[str, Any]:
    """Return the evidence in the form of `compare.json`."""
    evidence = conclusions.evidence
    bayes, teacher = evidence.bayes, evidence.teacher
    rows, classes = _rows(evidence), evidence.description.classes
    said = sentences(evidence, conclusions.groups)
    return {
        "run": evidence.run,
        "draws": evidence.draws,
        "finding": headline(evidence, conclusions.groups),
        "dataset": {"name": evidence.description.name, **evidence.description.facts()},
        "bayes_on_test": _scores(rows[bayes.title]) if bayes else None,
        "teacher": _teacher(teacher, rows[teacher.title], conclusions.teacher_cost, classes)
        if teacher
        else None,
        "control": evidence.control,
        "students": [
            *(_students(rows[s.name], s, conclusions.costs[s.name], classes) for s in evidence.students),
            *map(_stale, evidence.stale),
        ],
        "attributions": [
            _attribution(attribution) for group in conclusions.groups for attribution in group.attributions
        ],
        "new_examples": list(map(_brought, conclusions.brought)),
        "sentences": {group: list(map(text, texts)) for group, texts in said.items()},
        "warnings": [text(caution_text(caution)) for caution in conclusions.cautions],
    }


def _brought(brought: NewExamples) -> dict[str, Any]:
    """Return the effect of new examples on a set, compared with the same set without them."""
    versus = {metric: _comparison(versus) for metric, versus in brought.versus.items()}
    return {"students": brought.students.name, "without": brought.without.name, **versus}


def as_csv(conclusions: Conclusions) -> str:
    """Return the evidence as CSV: a row for each set (or model) and metric; unknown cells are empty."""
    evidence = conclusions.evidence
    out = io.StringIO()
    table = csv.DictWriter(out, CSV_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for row in _rows(evidence).values():
        lost = {why: " ".join(map(str, row.facts.get(why, ()))) for why in LOST}
        for name, cell in _measured(row):
            table.writerow({**row.facts, **lost, "run": evidence.run, "metric": name, **_csv_cell(cell)})
    return out.getvalue()


def _csv_cell(cell: Cell) -> dict[str, Any]:
    low, high = cell.interval or ("", "")
    values: dict[str, Any] = {"mean": cell.value, "low": low, "high": high}
    if versus := cell.versus:
        low, high = versus.interval or ("", "")
        values |= {
            "control": versus.other,
            "paired": versus.paired,
            "difference": versus.difference,
            "difference_seeds": versus.seeds,
            "difference_draws": versus.draws,
            "difference_low": low,
            "difference_high": high,
            "p_value": versus.p_value,
            "p_holm": versus.adjusted,
            "verdict": versus.verdict,
        }
    return values


def _rows(evidence: Evidence) -> Mapping[str, Row]:
    """Return the rows of the table of all metrics by name: optimum, teacher, and the sets in order."""
    rows = {row.facts["name"]: row for row in metrics_table(evidence).rows()}
    order = [row for row in rows if "group" not in rows[row].facts]
    return {name: rows[name] for name in (*order, *(students.name for students in evidence.students))}


def _measured(row: Row) -> Iterator[tuple[str, Cell]]:
    """Yield each metric that a row has, with its cell."""
    for name, cell in zip(METRICS, row.cells, strict=True):
        if cell.value is not None:
            yield name, cell


def _scores(row: Row) -> dict[str, float]:
    """Return the metrics of a single model of each draw, as means over draws."""
    return {name: mean_over(cell.per_seed) for name, cell in _measured(row)}


def _by_draw(cell: Cell) -> list[float]:
    return [fmean(of_draw) for of_draw in cell.per_seed]


def _recall(measured: Measured, classes: Sequence[str]) -> dict[str, Any]:
    """Return the recall of each class by its name, where it is measured."""
    if not measured.recall:
        return {}
    of_classes = zip(classes, measured.recall, strict=True)
    return {"recall": {name: {"mean": mean, "ci95": (low, high)} for name, (mean, low, high) in of_classes}}


def _teacher(teacher: Measured, row: Row, cost: Cost | None, classes: Sequence[str]) -> dict[str, Any]:
    return {
        "model": teacher.group,
        "metrics": _scores(row),
        "by_draw": {name: _by_draw(cell) for name, cell in _measured(row)},
        **_recall(teacher, classes),
        "cost": asdict(cost) if cost else None,
    }


def _students(row: Row, students: StudentsMeasured, cost: Cost, classes: Sequence[str]) -> dict[str, Any]:
    cells = dict(_measured(row))
    versus: dict[str, Any] | None = None
    if students.versus:
        paired = all(comparison.paired for comparison in students.versus.values())
        versus = {"control": students.control, "paired": paired}
        versus |= {name: _comparison(cell.versus) for name, cell in cells.items() if cell.versus}
    return {
        **{key: value for key, value in row.facts.items() if key != "group"},
        "stale": False,
        "metrics": {
            name: {
                "mean": cell.value,
                "ci95": cell.interval,
                "by_draw": _by_draw(cell),
                "per_seed": cell.per_seed,
            }
            for name, cell in cells.items()
        },
        **_recall(students, classes),
        "cost": asdict(cost),
        "versus": versus,
        **({"reason": students.why} if students.why else {}),
    }


def _stale(old: StaleSet) -> dict[str, Any]:
    unread: dict[str, Any] = {"metrics": {}, "cost": None, "versus": None}
    return {**set_facts(old.folder, old.set), "stale": True, **unread}


def _comparison(versus: Versus) -> dict[str, Any]:
    return {
        "difference": versus.difference,
        "seeds": versus.seeds,
        "ci95": versus.interval,
        "by_draw": [None if math.isnan(difference) else difference for difference in versus.by_draw],
        "another_draw": versus.another,
        "p_value": versus.p_value,
        "p_holm": versus.adjusted,
        "verdict": versus.verdict,
        "detectable": versus.detectable,
        **({"reason": versus.why} if versus.why else {}),
    }


def _attribution(attribution: Attribution) -> dict[str, Any]:
    return {
        "students": attribution.soft.name,
        "metric": attribution.metric,
        "gain": attribution.gain,
        "best_on_validation_among": attribution.among,
        "seed_numbers": attribution.seeds,
        **({"reason": obstacle_text(attribution)} if attribution.obstacle else {}),
        "shares": [
            {
                "by": share.rival.name,
                "gain": share.versus.gain,
                "interval": share.versus.gain_interval,
                "verdict": share.versus.verdict,
                "beyond": _comparison(share.beyond),
            }
            for share in attribution.shares
        ],
    }
