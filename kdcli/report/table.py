"""Tables as data: the same cells are shown in the terminal, and written as CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from kdcli.report.words import quantity, signed

if TYPE_CHECKING:
    from kdcli.evidence.verdicts import Versus

Emphasis = Literal["", "strong", "weak", "good", "warning", "bad"]

VERDICTS: Mapping[str, tuple[str, Emphasis]] = {  # as a person reads them
    "better": ("better", "good"),
    "worse": ("worse", "bad"),
    "no difference shown": ("inconclusive", ""),
}


@dataclass(frozen=True)
class Cell:
    """A cell of a table: a text, or a value in its `unit`.

    `interval` has the ends of the value's 95 % interval, `per_seed` the value of each draw and seed. `versus`
    compares it with the control; `note` replaces a missing verdict. `below` are dimmed lines below the text.
    """

    value: float | str | None = None
    unit: str = ""
    interval: tuple[float, float] | None = None
    per_seed: Sequence[Sequence[float]] = ()
    versus: Versus | None = None
    note: str = ""
    emphasis: Emphasis = ""
    below: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The value with its interval and unit, such as "94.50 ± 0.42 %"."""
        if self.value is None or isinstance(self.value, str):
            return self.value or ""
        return quantity(self.value, self.unit, self.interval)

    @property
    def difference(self) -> str:
        """The difference from the control, such as "+3.15 ± 0.37"."""
        versus = self.versus
        if versus is None:
            return ""
        if versus.difference is None:
            return "both ∞" if versus.seeds else ""
        return signed(versus.difference, self.unit, versus.interval)

    @property
    def verdict(self) -> tuple[str, Emphasis]:
        """The verdict, or what is written instead, with its emphasis."""
        versus = self.versus
        if versus is None:
            return self.note, ""
        if versus.difference is None and versus.seeds:  # both are infinite
            return "", ""
        short, colon, _ = versus.why.partition(":")
        word, emphasis = VERDICTS.get(versus.verdict or "", (short if colon else "no verdict", ""))
        return word + ("" if versus.paired else ", unpaired"), emphasis

    @property
    def draws(self) -> str:
        """In how many draws the difference has the sign of the mean, such as "+ in 9/10".

        Empty with one draw, and if the difference is shown without a sign.
        """
        versus, sign = self.versus, self.difference[:1]
        if not versus or versus.draws < 2 or sign not in ("+", "−"):
            return ""
        return f"{sign} in {versus.alike}/{versus.draws}"


@dataclass(frozen=True)
class Column:
    """A column: its title, and a `short` title for narrow terminals.

    `control` names what the cells are compared with, over several draws if `draws`. `left` aligns text to the
    left. If the column `folds`, text that does not fit is wrapped, but not to fewer than `least` characters.
    `key` is its name for programs.
    """

    title: str
    short: str = ""
    control: str = ""
    draws: bool = False
    key: str = ""
    left: bool = False
    folds: bool = False
    least: int = 0


@dataclass(frozen=True)
class Row:
    """A row: its title and cells; `facts` are further values for programs.

    The `role` is written after the title, a `mark` such as "*" before it.
    """

    title: Cell
    cells: Sequence[Cell]
    role: str = ""
    mark: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """Rows that belong together."""

    rows: Sequence[Row]
    title: str = ""


@dataclass(frozen=True)
class Table:
    """A table: the column of row titles, the other columns, and sections of rows.

    A table that `splits` may be shown in parts, each with some of its columns.
    """

    columns: Sequence[Column]
    sections: Sequence[Section]
    title: str = ""
    head: Column = Column("", left=True, folds=True, least=12)
    splits: bool = False

    def rows(self) -> Iterator[Row]:
        """Yield the rows of all sections."""
        for section in self.sections:
            yield from section.rows

    def part(self, columns: Sequence[int]) -> Table:
        """Return the table with these columns, by number."""
        sections = [
            replace(
                section, rows=[replace(row, cells=[row.cells[k] for k in columns]) for row in section.rows]
            )
            for section in self.sections
        ]
        return replace(self, columns=[self.columns[k] for k in columns], sections=sections)

    def only(self, keys: Sequence[str]) -> Table:
        """Return the table with these columns, by key."""
        known = [column.key for column in self.columns]
        return self.part([known.index(key) for key in keys])
