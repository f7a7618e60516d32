"""The evidence as tables, each built once: the terminal shows them, and CSV and JSON write the same cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kdcli.evidence.verdicts import by_group
from kdcli.metrics import METRICS
from kdcli.report.table import VERDICTS, Cell, Column, Row, Section, Table
from kdcli.runs.student_sets import LOST
from kdcli.targets import SMOOTHING
from kdcli.words import counted, either, ratio

if TYPE_CHECKING:
    from kdcli.evidence.costs import Cost
    from kdcli.evidence.gather import Evidence
    from kdcli.evidence.new_examples import NewExamples
    from kdcli.evidence.verdicts import Measured, StudentsMeasured, Versus
    from kdcli.runs.student_sets import StudentSet

MOST_CLASSES = 10  # whose recall a table shows
COSTS = {  # column titles and units of the cost table
    "parameters": ("parameters", "count"),
    "multiply_adds": ("multiply-\nadds", "count"),
    "bytes": ("bytes", "bytes"),
    "latency_ms": ("latency\nper call", "ms"),
    "latency_row_us": ("per row\nof 64", "µs"),
}


def metrics_table(evidence: Evidence) -> Table:
    """Make the table of all metrics: the optimum and the teacher, then each group's sets."""
    references = [measured for measured in (evidence.bayes, evidence.teacher) if measured]
    sections = [Section([_reference_row(measured) for measured in references])]
    sections += _group_sections(evidence, _students_row)
    return Table([Column(metric.title, key=name) for name, metric in METRICS.items()], sections, splits=True)


def _group_sections(evidence: Evidence, row: Callable[[StudentsMeasured], Row]) -> list[Section]:
    """Make a section for each group of student sets, with a row for each set."""
    return [
        Section([row(students) for students in sets], title=group)
        for group, sets in by_group(evidence.students).items()
    ]


def verdict_table(evidence: Evidence, table: Table) -> Table:
    """Return the metrics with verdicts, as part of the table of all metrics."""
    replicates = either((students.seeds for students in evidence.students), "seed")
    tests = counted(evidence.n_test, "test example")
    if evidence.draws > 1:
        replicates = f"{counted(evidence.draws, 'draw')} × {replicates}"
        tests += "" if evidence.description.drawing == "test kept" else " each"
    title = f"{evidence.heading}: {replicates}, {tests}, ± is half of a 95 % interval"
    part = table.only(evidence.compared)
    columns = [
        replace(
            column,
            title=column.title + (" (nats)" if METRICS[column.key].unit == "nats" else ""),
            control=evidence.control,
            draws=evidence.draws > 1,
        )
        for column in part.columns
    ]
    return replace(part, title=title, columns=columns)


def means_table(evidence: Evidence, table: Table) -> Table | None:
    """Return the means of the metrics without verdicts, as part of that table; None if there are none."""
    known = evidence.students[0].estimates
    names = [
        name
        for name, metric in METRICS.items()
        if metric.short and name not in evidence.compared and name in known
    ]
    if not names:
        return None
    part = table.only(names)
    sections = [
        replace(
            section, rows=[replace(row, role="", cells=list(map(_mean, row.cells))) for row in section.rows]
        )
        for section in part.sections
    ]
    columns = [replace(column, title=METRICS[column.key].short) for column in part.columns]
    return replace(
        part,
        title=f"other metrics, means over {'draws and seeds' if evidence.draws > 1 else 'seeds'}",
        columns=columns,
        sections=sections,
    )


def recall_table(evidence: Evidence) -> Table | None:
    """Make the table of recall by class; of many classes, the lowest. None if recall is not measured."""
    measured = [*([evidence.teacher] if evidence.teacher else []), *evidence.students]
    if not all(each.recall for each in measured):
        return None
    classes = evidence.description.classes
    lowest = sorted(range(len(classes)), key=lambda k: measured[0].recall[k].mean)
    shown = sorted(lowest[:MOST_CLASSES])

    def row(model: Measured) -> Row:
        recalls = [model.recall[k] for k in shown]
        return Row(Cell(model.title), [Cell(mean, "%", (low, high)) for mean, low, high in recalls])

    sections = [Section([row(evidence.teacher)])] if evidence.teacher else []
    sections += _group_sections(evidence, row)
    which = "each class" if len(shown) == len(classes) else f"the {len(shown)} classes where it is lowest"
    return Table([Column(classes[k]) for k in shown], sections, f"recall of {which}", splits=True)


def new_examples_table(brought: Sequence[NewExamples]) -> Table:
    """Make the table of the effect of new examples, compared with the same students without them."""
    sections: dict[str, list[Row]] = {}
    for new in brought:
        against = ", ".join(map(str, new.without.set.transfer.more)) or "none"
        differences = [_difference(name, versus) for name, versus in new.versus.items()]
        row = Row(Cell(f"{new.students.title} vs {against}"), differences)
        sections.setdefault(new.students.group, []).append(row)
    return Table(
        [Column(f"{METRICS[name].title} difference") for name in brought[0].versus],
        [Section(rows, title=group) for group, rows in sections.items()],
        "effect of new examples, vs as many copies, or none (verdicts corrected separately)",
        splits=True,
    )


def _difference(metric: str, versus: Versus) -> Cell:
    compared = Cell(unit=METRICS[metric].unit, versus=versus)
    word, emphasis = VERDICTS.get(versus.verdict or "", ("no verdict", ""))
    below = [compared.draws] if compared.draws else []
    return Cell(f"{compared.difference} {word}".strip(), emphasis=emphasis, below=below)


def _mean(cell: Cell) -> Cell:
    return replace(cell, interval=None, versus=None, note="")


def _reference_row(measured: Measured) -> Row:
    facts = {"name": measured.title, "model": measured.group}
    return Row(Cell(measured.title), [_cell(name, measured) for name in METRICS], facts=facts)


def _students_row(students: StudentsMeasured) -> Row:
    cells = [
        replace(
            _cell(name, students),
            versus=students.versus.get(name),
            note="no control" if students.why else "",
        )
        for name in METRICS
    ]
    role = "control" if students.is_control else ""
    facts = {"group": students.group, **set_facts(students.name, students.set)}
    return Row(Cell(students.title), cells, role, facts=facts)


def _cell(name: str, measured: Measured) -> Cell:
    if name not in measured.estimates:
        return Cell()
    estimate = measured.estimates[name]
    return Cell(estimate.mean, METRICS[name].unit, estimate.interval, measured.per_seed[name])


def cost_table(evidence: Evidence, teacher: Cost | None, costs: Mapping[str, Cost]) -> Table:
    """Make the table of costs: the teacher, then each model with its ratios to the teacher."""
    sections = []
    if teacher and evidence.teacher:
        sections.append(Section([Row(Cell(evidence.teacher.group), _cost_cells(teacher, None))]))
    of_model: dict[str, dict[Cost, list[str]]] = {}
    for students in evidence.students:
        titles = of_model.setdefault(str(students.set.model), {})
        titles.setdefault(costs[students.name], []).append(students.set.title(students.name))
    for model, by_cost in of_model.items():
        rows = []
        for cost, named in by_cost.items():
            title = model if len(by_cost) == 1 else f"{model}: {'; '.join(named)}"
            rows.append(Row(Cell(title), _cost_cells(cost, teacher)))
        sections.append(Section(rows))
    title = "cost of one prediction on one thread, and its ratio to the teacher's"
    return Table([Column(title_of) for title_of, _ in COSTS.values()], sections, title)


def _cost_cells(cost: Cost, teacher: Cost | None) -> list[Cell]:
    cells = []
    for name, (_, unit) in COSTS.items():
        value, other = getattr(cost, name), getattr(teacher, name) if teacher else 0
        cells.append(Cell(value, unit, below=[ratio(value / other)] if value and other else []))
    return cells


def _smoothing(student_set: StudentSet) -> dict[str, Any]:
    if student_set.taught.setting != SMOOTHING:
        return {}
    return {SMOOTHING: student_set.smoothing, f"auto_{SMOOTHING}": student_set.chosen is not None}


def set_facts(name: str, student_set: StudentSet) -> dict[str, Any]:
    """Return the facts of the student set in the folder `name`, for JSON and CSV."""
    return {
        "name": name,
        "target": student_set.target,
        "temperature": student_set.temperature,
        "auto_temperature": student_set.taught.softened and student_set.chosen is not None,
        "model": str(student_set.model),
        "seeds": len(student_set.seeds),
        "seed_numbers": student_set.seeds,  # in the order of `per_seed`
        **{why: student_set.lost.get(why, ()) for why in LOST},
        **student_set.columns(),
        **_smoothing(student_set),
    }
