"""Tables as wide as the terminal allows: where there is no room for one, a list says the same."""

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kdcli.report.terminal import console, fitted

NARROW = 60  # columns below which a list is read better than a table
NAME = 24  # columns that a longer name needs at least, folded into as many lines as it takes


def narrow(terminal: Console | None = None) -> bool:
    """Whether a terminal is too narrow for tables and panels."""
    return (terminal or console()).width < NARROW


def in_one_line(table: Table) -> bool:
    """Whether the terminal has room for a table with all its words in one line."""
    terminal = console()
    wide = terminal.options.update(width=1000)
    return Measurement.get(terminal, wide, _fitted(table)).maximum <= terminal.width


def draw(table: Table) -> None:
    """Print a table of names and numbers, or a list of its rows where numbers or names would be cut."""
    terminal = console()
    if not narrow(terminal) and _narrowest(table) <= terminal.width:
        terminal.print(_fitted(table))
        return
    for line in _as_list(table, terminal.width):
        terminal.print(line, soft_wrap=True)


def _fitted(table: Table) -> Table:
    """Return the table as it will be written in the output's encoding."""
    copy = Table(title=table.title and _text(table.title), title_justify="left", title_style="bold")
    for column in table.columns:
        copy.add_column(
            _text(column.header),
            justify=column.justify,
            no_wrap=column.no_wrap,
            overflow="fold",
            min_width=column.min_width,
        )
    for row, cells in zip(table.rows, _rows(table), strict=True):
        copy.add_row(*cells, end_section=row.end_section)
    return copy


def _text(cell: object) -> Text:
    return fitted(cell if isinstance(cell, Text) else str(cell))


def _rows(table: Table) -> Iterator[list[Text]]:
    """Yield the cells of each row of a table."""
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        yield [_text(cell) for cell in cells]


def _narrowest(table: Table) -> int:
    """Return the columns that a table takes without cutting a number, or a name to next to nothing."""
    widths = []
    for column in table.columns:
        texts = [_text(cell).plain for cell in (column.header, *column.cells)]
        longest = max(cell_len(line) for text in texts for line in text.split("\n"))
        widths.append(longest if column.no_wrap else min(longest, NAME))
    return sum(widths) + 3 * len(widths) + 1


def _as_list(table: Table, width: int) -> Iterator[Text]:
    """Yield the lines of a list: each row's name, and below it what the columns say of it."""
    if table.title:
        yield Text(_text(table.title).plain, style="bold")
    heads = [_text(c.header).plain.replace("-\n", "-").replace("\n", " ") for c in table.columns]
    marked = all(len(str(cell)) <= 1 for cell in table.columns[0].cells)  # such as the current run
    for name, *cells in _rows(table):
        if marked:
            name = Text(" ").join([name, cells[0]]) if name.plain else cells[0]
            cells[0] = Text()
        yield name
        margin = " " * (len(name.plain) - len(name.plain.lstrip(" ")) + 2)
        for head, cell in zip(heads[1:], cells, strict=True):
            value = Text(", ").join(line for line in cell.split("\n") if line.plain)
            if not value.plain:
                continue
            if cell_len(f"{margin}{head}: {value.plain}") <= width:
                yield Text.assemble(margin, f"{head}: ", value)
            else:
                yield Text(f"{margin}{head}:")
                yield Text.assemble(margin, "  ", value)
