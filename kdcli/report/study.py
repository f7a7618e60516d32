"""The evidence of a study, as sentences, tables and documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdcli.errors import Text, joined
from kdcli.metrics import METRICS
from kdcli.report.evidence import set_facts
from kdcli.report.sentences import ends
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.words import amount, quantity
from kdcli.runs.made import failure_of
from kdcli.runs.student_sets import CONTROL
from kdcli.runs.vary import short_names
from kdcli.settings import shown
from kdcli.words import counted, listed

if TYPE_CHECKING:
    from kdcli.evidence.study import ByValue, StudyEvidence, StudyRow

METRIC = "accuracy"
TOLD = 4  # treatments named in the sentence on a metric
LISTED = 40  # runs in a table, unless `full`


def leaf(key: str) -> str:
    """Return the last part of a key, its name in tables."""
    return key.partition(".")[2]


def value_text(value: Any) -> str:
    """Write a value of a varied key."""
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    if value is None:
        return ""
    return value if isinstance(value, str) else shown(value)


def at(varied: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Write the varied values of a run: "noise = 0.3, transfer_size = 100"."""
    short = short_names(keys)
    return ", ".join(f"{short[key]} = {value_text(varied[key])}" for key in keys if key in varied)


def study_text(evidence: StudyEvidence) -> Iterator[str]:
    """Say how often each treatment helps or harms, where it does most, and which students are best."""
    for metric in ("accuracy", "nll"):
        told = [text for treatment in evidence.treatments for text in _told(evidence, treatment, metric)]
        if told:
            more = [f"and {len(told) - TOLD} more differ"] if len(told) > TOLD else []
            yield f"In {METRICS[metric].title}, {'; '.join([*told[:TOLD], *more])}."
        elif any(row.students.versus for row in evidence.rows):
            yield f"In {METRICS[metric].title}, no run shows a difference between a target and its control."
    if evidence.best is None:
        return
    best, test = evidence.best, evidence.best.students.estimates[METRIC]
    accuracy = quantity(test.mean, "%", test.interval)
    where = at(best.varied, evidence.keys)
    yield f"Best on validation examples: {best.treatment} at {where}, with a test accuracy of {accuracy}."


def _told(evidence: StudyEvidence, treatment: str, metric: str) -> Iterator[str]:
    parts = []
    rows = [r for r in evidence.rows if r.treatment == treatment and metric in r.students.versus]
    for verdict, verb in (("better", "helps"), ("worse", "harms")):
        shown_rows = [row for row in evidence.verdicts(metric, verdict) if row.treatment == treatment]
        if shown_rows:
            count = f"{len(shown_rows)} of {counted(len(rows), 'run')}"
            parts.append(f"{verb} in {count}{_most(shown_rows[0], metric, evidence)}")
    if parts:
        yield f"{treatment} {listed(parts)}"


def _most(row: StudyRow, metric: str, evidence: StudyEvidence) -> str:
    versus = row.students.versus[metric]
    where = at(row.varied, evidence.keys)
    if not versus.gain_interval:
        return f" (such as at {where})"
    return f" (most at {where}: {amount(metric, abs(versus.gain))} {ends(versus, gain=versus.gain > 0)})"


def unread_runs(evidence: StudyEvidence) -> dict[str, Text]:
    """Return the runs that cannot be compared, each with the reason and what helps."""
    reasons = {}
    for name, (error, hint) in evidence.unread.items():
        failed, helps = failure_of(evidence.study.folder.run(name))
        reasons[name] = joined(f"{failed or error}; ", helps if failed else hint)
    return reasons


def study_coverage(evidence: StudyEvidence, *, averages: bool) -> str:
    """Say what verdicts cover, and what `averages` over runs have, where there are any."""
    return (
        f"Verdicts hold at 95 % for the {counted(evidence.tests, 'comparison')} of all runs together "
        "(Holm's correction); inconclusive does not mean equal. The best of many on validation examples "
        "is on average a little worse on new examples."
        + (" Averages have the mean of their runs' intervals, as if errors agreed." if averages else "")
    )


def study_table(evidence: StudyEvidence, *, full: bool = False) -> Table:
    """Make the table: a row for each run, with its values and its treatments' differences from control."""
    runs: dict[str, list[StudyRow]] = {}
    for row in evidence.rows:
        runs.setdefault(row.run, []).append(row)
    treatments = evidence.treatments
    columns = [
        Column(treatment, control=_control(evidence, treatment), draws=_draws(evidence))
        for treatment in treatments
    ]
    rows = [
        Row(
            Cell(", ".join(value_text(sets[0].varied.get(key)) for key in evidence.keys)),
            [_cell(sets, treatment) for treatment in treatments],
            mark="*" if any(row is evidence.best for row in sets) else "",
        )
        for sets in (list(runs.values()) if full else list(runs.values())[:LISTED])
    ]
    name, count = evidence.study.folder.name, counted(len(runs), "run")
    title = f"{name}: test accuracy of {count}, ± is half of a 95 % interval"
    head = Column(", ".join(short_names(evidence.keys).values()), left=True, folds=True, least=12)
    return Table(columns, [Section(rows)], title, head, splits=True)


def _control(evidence: StudyEvidence, treatment: str) -> str:
    rows = [row for row in evidence.rows if row.treatment == treatment and row.students.versus]
    return CONTROL if rows else ""


def _draws(evidence: StudyEvidence) -> bool:
    return any(v.draws > 1 for row in evidence.rows for v in row.students.versus.values())


def _cell(sets: Sequence[StudyRow], treatment: str) -> Cell:
    row = next((row for row in sets if row.treatment == treatment), None)
    if row is None:
        return Cell()
    found = row.students.estimates[METRIC]
    return Cell(found.mean, "%", found.interval, versus=row.students.versus.get(METRIC))


def by_table(found: Sequence[ByValue], key: str) -> Table:
    """Make the table of each treatment's gain for each value of a key."""
    sections = []
    for treatment in dict.fromkeys(entry.treatment for entry in found):
        rows = [_by_row(entry) for entry in found if entry.treatment == treatment]
        sections.append(Section(rows, treatment))
    titles = ("runs", "accuracy", "gain", "better", "worse")
    columns = list(map(Column, titles))
    return Table(
        columns,
        sections,
        "means over runs; gains are over the control",
        Column(leaf(key), left=True, folds=True, least=12),
    )


def _by_row(entry: ByValue) -> Row:
    gain = quantity(entry.gain, "%", entry.interval) if entry.gain is not None else ""
    cells = [str(entry.runs), quantity(entry.accuracy, "%"), gain, str(entry.better), str(entry.worse)]
    return Row(Cell(value_text(entry.value)), list(map(Cell, cells)))


def study_document(evidence: StudyEvidence, by: str = "", found: Sequence[ByValue] = ()) -> dict[str, Any]:
    """Return the evidence for programs."""
    return {
        "study": evidence.study.folder.name,
        "path": evidence.study.folder.path,
        "finding": list(study_text(evidence)),
        "varied": evidence.study.varied,
        "comparisons": evidence.tests,
        "best": evidence.best and {"run": evidence.best.run, "name": evidence.best.students.name},
        "runs": [_document(row, evidence) for row in evidence.rows],
        "missing": list(evidence.missing),
        "not_compared": {name: error for name, (error, _) in evidence.unread.items()},
        **({"by": by, "values": [entry.__dict__ for entry in found]} if found else {}),
    }


def _document(row: StudyRow, evidence: StudyEvidence) -> dict[str, Any]:
    found = {
        name: {"mean": estimate.mean, "ci95": estimate.interval}
        for name, estimate in row.students.estimates.items()
        if name in ("accuracy", "nll")
    }
    versus = {
        metric: {
            "control": v.other,
            "difference": v.difference,
            "ci95": v.interval,
            "p_holm": v.adjusted,
            "verdict": v.verdict,
        }
        for metric, v in row.students.versus.items()
    }
    return {
        "run": row.run,
        "varied": dict(row.varied),
        "treatment": row.treatment,
        **set_facts(row.students.name, row.students.set),
        "validation_accuracy": row.validation,
        "teacher_accuracy": evidence.teachers.get(row.run),
        "bayes_accuracy": evidence.bayes.get(row.run),
        "metrics": found,
        "versus": versus or None,
    }


def study_csv(evidence: StudyEvidence) -> str:
    """Return the evidence as CSV: a row for each run, set and metric."""
    out = io.StringIO()
    fixed = ("metric", "mean", "low", "high", "control", "difference", "difference_low", "difference_high")
    columns = ["run", *evidence.keys, "treatment", "name", "validation_accuracy", *fixed, "p_holm", "verdict"]
    table = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    table.writeheader()
    for row in evidence.rows:
        for metric in ("accuracy", "nll"):
            estimate, versus = row.students.estimates[metric], row.students.versus.get(metric)
            low, high = estimate.interval or ("", "")
            line: dict[str, Any] = {
                "run": row.run,
                **{key: value_text(value) for key, value in row.varied.items() if key in evidence.keys},
                "treatment": row.treatment,
                "name": row.students.name,
                "validation_accuracy": row.validation,
                **{"metric": metric, "mean": estimate.mean, "low": low, "high": high},
            }
            if versus:
                low, high = versus.interval or ("", "")
                line |= {"control": versus.other, "difference": versus.difference}
                line |= {"difference_low": low, "difference_high": high}
                line |= {"p_holm": versus.adjusted, "verdict": versus.verdict}
            table.writerow(line)
    return out.getvalue()
