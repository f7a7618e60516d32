"""A table of a dataset's columns: how each is read, how it is encoded, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.data.tables.columns import LEARNED
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.words import counted

if TYPE_CHECKING:
    from kdcli.data import Description
    from kdcli.data.tables.columns import Column as Decided

FOLDED = 13  # characters that are never folded: the length of --categorical
COLUMNS = (
    Column("kind", left=True),
    Column("missing"),
    Column("values", left=True, folds=True, least=FOLDED),
    Column("why, and how to change it", left=True, folds=True, least=FOLDED),
)
LONG = 20  # characters; longer names may be folded
LEFT_OUT = "left out"


def columns_table(description: Description, *, public: bool = False) -> Table:
    """Make a table of a dataset's columns: first the inputs, then those that are left out.

    Table columns that would be empty are omitted. Flags are written without the column's name, which the row
    has. With `public`, omit flags, and the values of columns that identify or describe rows.
    """
    features = {encoded.name: len(encoded.features) for encoded in description.encodings}
    used: list[Row] = []
    unused: list[Row] = []
    for decided in description.decisions:
        rows = used if decided.name in features else unused
        rows.append(_row(decided, features.get(decided.name, 0), public=public))
    sections = [Section(used), *([Section(unused, LEFT_OUT)] if unused else [])]
    numbers = counted(sum(features.values()), "feature")
    title = f"{counted(len(used), 'input column')}, encoded as {numbers} (→)"
    widths = [len(row.title.text) for row in used] + [len(row.title.text) + 2 for row in unused]
    folds = max(widths, default=0) > LONG
    head = Column("column", left=True, folds=folds, least=FOLDED if folds else 0)
    table = Table(COLUMNS, sections, title, head)
    told = [k for k in range(len(COLUMNS)) if any(row.cells[k].text for row in table.rows())]
    return table.part(told)


def _row(column: Decided, features: int, *, public: bool) -> Row:
    missing = f"{100 * column.missing:.1f} %" if column.missing else ""
    kind = f"{column.kind} → {features}" if features > 1 else column.kind
    flag = "" if public else column.hint.partition(" ")[0]
    values = "" if public and column.kind not in LEARNED else column.values
    why = "; ".join(filter(None, [column.why, flag]))
    return Row(Cell(column.name), [Cell(text) for text in (kind, missing, values, why)])
