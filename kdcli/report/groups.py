"""Comparisons within groups, as sentences and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kdcli.evidence.groups import METRIC
from kdcli.metrics import METRICS
from kdcli.report.sentences import ends, spoken
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.words import amount, number
from kdcli.words import capitalised, counted, listed

if TYPE_CHECKING:
    from kdcli.evidence.gather import Evidence
    from kdcli.evidence.groups import ByGroup, Within
    from kdcli.evidence.verdicts import StudentsMeasured

MOST_NAMED = 5


def groups_text(found: ByGroup, evidence: Evidence) -> Iterator[str]:
    """Say in which groups each set gains and loses, and which groups were left out."""
    silent = []
    for students in evidence.students:
        rows = found.of(students)
        if not rows:
            continue
        name = f"{spoken(students)} ({students.group})"
        told = [*_told(rows, "better", "gains"), *_told(rows, "worse", "loses")]
        if told:
            yield f"{capitalised(name)} {listed(told)}."
        else:
            silent.append(name)
    if len(silent) > MOST_NAMED:
        sets = counted(len(silent), "set")
        yield f"For {sets}, all groups are inconclusive, which does not mean that they are equal."
    elif silent:
        named = listed(silent)
        yield f"For {named}, all groups are inconclusive, which does not mean that they are equal."
    if found.more:
        yield f"Only the largest groups are compared; {counted(found.more, 'smaller group')} left out."
    if found.small:
        few = ", ".join(found.small[:MOST_NAMED]) + (", …" if len(found.small) > MOST_NAMED else "")
        yield f"Left out, for too few test examples in some draw: {few}."


def _told(rows: Sequence[Within], verdict: str, verb: str) -> Iterator[str]:
    """Say in how many groups a set has this verdict, and where the difference is largest."""
    shown = sorted(
        (row for row in rows if row.versus.verdict == verdict), key=lambda row: -abs(row.versus.gain)
    )
    if shown:
        row, most = shown[0], "most " if len(shown) > 1 else ""
        size = f"{amount(METRIC, abs(row.versus.gain))} {ends(row.versus, gain=row.versus.gain > 0)}"
        yield f"{verb} in {len(shown)} of {counted(len(rows), 'group')} ({most}in {row.group.name}: {size})"


def groups_table(found: ByGroup, evidence: Evidence) -> Table:
    """Make the table: a section for each set, with a row for each group."""
    columns = [
        Column("n"),
        *([Column("teacher")] if evidence.teacher else []),
        Column("control"),
        Column("students", control=evidence.control, draws=evidence.draws > 1),
    ]
    models = {students.group for students in evidence.students}
    sections = [
        Section([_row(row) for row in rows], _titled(students, several=len(models) > 1))
        for students in evidence.students
        if (rows := found.of(students))
    ]
    of = f" of {models.pop()}" if len(models) == 1 else ""
    what = "recall" if found.by_class else "accuracy"
    title = f"{what}{of} in % by {found.by}, on n test examples each; ± is half of a 95 % interval"
    return Table(columns, sections, title, Column("", left=True, folds=True, least=10), splits=True)


def _titled(students: StudentsMeasured, *, several: bool) -> str:
    return f"{students.group}: {students.title}" if several else students.title


def _row(row: Within) -> Row:
    examples, unit = row.group.examples, METRICS[METRIC].unit
    count = f"{examples[0]:,}" if min(examples) == max(examples) else f"{min(examples):,}–{max(examples):,}"
    means = [mean for mean in (row.of_teacher, row.of_control) if mean is not None]
    cells = [
        Cell(count),
        *(Cell(number(mean, unit)) for mean in means),
        Cell(number(row.accuracy, unit), unit, versus=row.versus),
    ]
    return Row(Cell(row.group.name), cells)


def groups_document(found: ByGroup) -> dict[str, Any]:
    """Return the comparisons in the form of `compare.json`."""
    return {
        "by": found.by,
        "left_out": list(found.small),
        "more": found.more,
        "comparisons": [
            {
                "students": row.students.name,
                "control": row.versus.other,
                "group": row.group.name,
                "examples": row.group.examples,
                "teacher": row.of_teacher,
                "control_accuracy": row.of_control,
                "accuracy": row.accuracy,
                "difference": row.versus.difference,
                "ci95": row.versus.interval,
                "p_holm": row.versus.adjusted,
                "verdict": row.versus.verdict,
                "reason": row.versus.why,
            }
            for row in found.rows
        ],
    }
