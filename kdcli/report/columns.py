"""The columns of a table as a person reads them: what each is taken for, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.words import counted

if TYPE_CHECKING:
    from kdcli.data import Description
    from kdcli.data.tables.columns import Column as Decided


def columns_table(description: Description) -> Table:
    """Make a table of the columns: those that are learned from, then those that are left out."""
    features = {encoded.name: len(encoded.features) for encoded in description.encodings}
    learned = [_row(column, features.get(column.name, 0)) for column in description.decisions]
    used = [
        row for row, column in zip(learned, description.decisions, strict=True) if column.name in features
    ]
    unused = [row for row in learned if row not in used]
    columns = [
        Column("kind", left=True),
        Column("missing"),
        Column("values", left=True, folds=True, least=14),
        Column("why, and what changes it", left=True, folds=True, least=14),
    ]
    sections = [Section(used), *([Section(unused, "left out")] if unused else [])]
    numbers = counted(sum(features.values()), "feature")
    title = f"{counted(len(used), 'column')} to learn from, which become {numbers} (→)"
    return Table(columns, sections, title, head=Column("column", left=True, folds=True, least=12))


def _row(column: Decided, features: int) -> Row:
    missing = f"{100 * column.missing:.1f} %" if column.missing else ""
    why = "; ".join(filter(None, [column.why, column.hint]))
    kind = f"{column.kind} → {features}" if features > 1 else column.kind
    cells = [kind, missing, column.values, why]
    return Row(Cell(column.name), [Cell(text) for text in cells])
