"""Tables fitted to the width of the terminal; where a table does not fit, a list shows the same."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from kdcli.report.table import Cell, Column, Emphasis, Row, Table
from kdcli.report.terminal import console, fitted

NARROW = 60  # columns; below, a list is easier to read than a table
NAME = 24  # columns that a folded name needs at least
Place: TypeAlias = Literal["abreast", "below", "stacked"]
"""Where verdicts stand: beside the values, or below them, with the draws in the same line or the next."""

STYLES: dict[Emphasis, str] = {
    "": "",
    "strong": "bold",
    "weak": "dim",
    "good": "green",
    "warning": "yellow",
    "bad": "bold red",
}


def narrow(terminal: Console | None = None) -> bool:
    """Whether a terminal is too narrow for tables and panels."""
    return (terminal or console()).width < NARROW


def draw(table: Table) -> None:
    """Print a table of names and numbers, or a list of its rows where numbers or names would be cut."""
    terminal = console()
    for grid in _grids(table, terminal):
        if not narrow(terminal) and _narrowest(grid) <= terminal.width:
            terminal.print(grid)
            continue
        for line in _as_list(grid, terminal.width, marked=_marked(table)):
            terminal.print(line, soft_wrap=True)


def _grids(table: Table, terminal: Console) -> list[Grid]:
    """Lay a table out: whole if it fits, with verdicts abreast or below the values, else in parts.

    A part has as many columns as the terminal has room for, and at least one.
    """
    whole = _grid(table, "abreast")
    if not table.splits or narrow(terminal) or _in_one_line(whole, terminal):
        return [whole]
    below = _grid(table, "below")
    if _in_one_line(below, terminal):
        return [below]
    columns = range(len(table.columns))
    parts = [whole]
    for size in reversed(columns):
        parts = [_grid(table.part(columns[k : k + size + 1]), "stacked") for k in columns[:: size + 1]]
        if all(_in_one_line(part, terminal) for part in parts):
            break
    return parts


def _in_one_line(grid: Grid, terminal: Console) -> bool:
    """Whether the terminal is wide enough for a table without folding any text."""
    wide = terminal.options.update(width=1000)
    return Measurement.get(terminal, wide, grid).maximum <= terminal.width


def _grid(table: Table, verdicts: Place) -> Grid:
    """Lay a table out as it will be written in the output's encoding."""
    grid = Grid(title=fitted(table.title) if table.title else None, title_justify="left", title_style="bold")
    for column, titles in [
        (table.head, [table.head.title]),
        *((c, _titles(c, verdicts)) for c in table.columns),
    ]:
        for title in titles:
            grid.add_column(
                fitted(title),
                justify="left" if column.left else "right",
                no_wrap=not column.folds,
                overflow="fold",
                min_width=column.least or None,
            )
    marked = _marked(table)
    for section in table.sections:
        if section.rows:
            grid.add_section()
        if section.title and section.rows:
            grid.add_row(fitted(Text(section.title, style="bold")))
        margin = "  " if section.title else ""
        for row in section.rows:
            mark = f"{row.mark or ' '} " if marked else ""
            grid.add_row(_title(row, margin + mark), *_cells(row, table.columns, verdicts))
    return grid


def _marked(table: Table) -> bool:
    return any(row.mark for row in table.rows())


def _titles(column: Column, verdicts: Place) -> list[str]:
    if verdicts == "abreast" and column.control:
        return [column.title, f"vs {column.control}", *(["draws"] if column.draws else []), "verdict"]
    lines = [column.short or column.title, *([f"vs {column.control}"] if column.control else [])]
    return ["\n".join(lines)]


def _title(row: Row, margin: str) -> Text:
    role = f" ({row.role})" if row.role else ""
    return Text.assemble(margin, _text(row.title), role)


def _cells(row: Row, columns: Sequence[Column], verdicts: Place) -> Iterator[Text]:
    for cell, column in zip(row.cells, columns, strict=True):
        if not column.control:
            yield _text(cell)
            continue
        word, emphasis = cell.verdict
        short = word if verdicts == "abreast" else word.replace("inconclusive", "inconcl.")
        difference, verdict = fitted(cell.difference), fitted(Text(short, style=STYLES[emphasis]))
        if verdicts == "abreast":
            yield from (_text(cell), difference, *([Text(cell.draws)] if column.draws else []), verdict)
        else:
            draws = Text(cell.draws, style=STYLES["weak"])
            told = Text(" ").join(filter(None, [difference, verdict]))
            below = [told, draws] if verdicts == "stacked" else [Text(", ").join(filter(None, [told, draws]))]
            yield Text("\n").join(filter(None, [_text(cell), *below]))


def _text(cell: Cell) -> Text:
    below = [Text(line, style=STYLES["weak"]) for line in cell.below]
    return fitted(Text("\n").join([Text(cell.text, style=STYLES[cell.emphasis]), *below]))


def _narrowest(grid: Grid) -> int:
    """Return the least width of a table that cuts no number and keeps names readable."""
    widths = []
    for k, column in enumerate(grid.columns):
        least = column.min_width if k and column.min_width else NAME
        lines = [line for cell in (column.header, *column.cells) for line in str(cell).split("\n")]
        longest = max(map(cell_len, lines))
        widths.append(longest if column.no_wrap else min(longest, least))
    folding = sum(not column.no_wrap for column in grid.columns)
    uneven = max(folding - 1, 0)  # characters by which Rich divides the width unevenly
    return sum(widths) + uneven + 3 * len(widths) + 1


def _as_list(grid: Grid, width: int, *, marked: bool) -> Iterator[Text]:
    """Yield the lines of a list: each row's title, and below it the row's values by column."""
    if grid.title:
        yield Text(str(grid.title), style="bold")
    heads = [str(column.header).replace("-\n", "-").replace("\n", " ") for column in grid.columns]
    for title, *cells in zip(*(column.cells for column in grid.columns), strict=True):
        name = _as_text(title)
        if marked and name.plain.startswith("  "):  # an unmarked row needs no room for a mark here
            name = name[2:]
        yield name
        margin = " " * (len(name.plain) - len(name.plain.lstrip(" ")) + 2)
        for head, cell in zip(heads[1:], cells, strict=True):
            value = Text(", ").join(line for line in _as_text(cell).split("\n") if line.plain)
            if not value.plain:
                continue
            if cell_len(f"{margin}{head}: {value.plain}") <= width:
                yield Text.assemble(margin, f"{head}: ", value)
            else:
                yield Text(f"{margin}{head}:")
                yield Text.assemble(margin, "  ", value)


def _as_text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))
