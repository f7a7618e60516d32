from typing import Any

import pytest

from kdcli.data import Description
from kdcli.data.tables.columns import KINDS, LEARNED, Column
from kdcli.data.tables.encoding import Encoded
from kdcli.report.columns import columns_table
from kdcli.report.layout import draw
from kdcli.report.table import Section


def described(*decisions: Column, features: dict[str, int] | None = None) -> Description:
    """Describe a table of these columns, some with more than one feature."""
    several = features or {}
    encodings = [
        Encoded(c.name, c.kind, levels=tuple(map(str, range(several[c.name]))))
        if c.name in several
        else Encoded(c.name, c.kind)
        for c in decisions
        if c.kind in LEARNED
    ]
    names = tuple(name for encoded in encodings for name in encoded.features)
    sizes = {"train": 6, "val": 2, "test": 2}
    return Description(
        "own", (len(names),), names, ("no", "yes"), sizes, 1, "split", None, False, True,
        tuple(encodings), decisions,
    )  # fmt: skip


def cells(section: Section) -> dict[str, list[str]]:
    return {row.title.text: [cell.text for cell in row.cells] for row in section.rows}


AGE = Column("age", "number", 0.0, "18 to 90")
PLAN = Column("plan", "category", 0.25, "'a', 'b' and 1 more", "by its name a code", "--numeric plan")
KEY = Column("key no", "identifier", 0.0, "1 to 9", "numbers the rows", "--numeric 'key no'")


def test_every_column_is_told_with_what_becomes_of_it() -> None:
    table = columns_table(described(KEY, AGE, PLAN, features={"plan": 3}))
    assert table.title == "2 input columns, encoded as 4 features (→)"
    assert [column.title for column in table.columns] == [
        "kind",
        "missing",
        "values",
        "why, and how to change it",
    ]
    learned, left_out = table.sections
    assert cells(learned) == {
        "age": ["number", "", "18 to 90", ""],
        "plan": ["category → 3", "25.0 %", "'a', 'b' and 1 more", "by its name a code; --numeric"],
    }
    assert left_out.title == "left out"
    assert cells(left_out) == {"key no": ["identifier", "", "1 to 9", "numbers the rows; --numeric"]}


def test_what_no_column_has_is_not_a_column_of_the_table() -> None:
    table = columns_table(described(AGE))
    assert table.title == "1 input column, encoded as 1 feature (→)"
    assert [column.title for column in table.columns] == ["kind", "values"]
    assert [cells(section) for section in table.sections] == [{"age": ["number", "18 to 90"]}]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_either_learned_from_or_left_out(kind: Any) -> None:
    table = columns_table(described(AGE, Column("other", kind, 0.0, "")))
    of_section = [list(cells(section)) for section in table.sections]
    assert of_section == ([["age", "other"]] if kind in LEARNED else [["age"], ["other"]])


@pytest.mark.parametrize("longest", [3, 14, 18, 20, 21, 24, 30])
@pytest.mark.parametrize("width", range(60, 101))
def test_no_line_is_cut_and_no_flag_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, longest: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    name = "c" * longest
    values, flag = "'some values', 'others' and 12 more", f"--categorical {name}"
    learned = Column(name, "category", 0.5, values, "", flag)
    unused = Column("d" * longest, "identifier", 0.0, "'x', …", "9 values in 9 rows", "--categorical d")
    draw(columns_table(described(learned, unused, features={name: 21})))
    lines = capsys.readouterr().out.splitlines()
    assert all(line.rstrip()[-1] in "┓┃┩│┤┘" for line in lines[1:] if line[0] in "┏┃┡│├└")
    assert sum("--categorical" in line for line in lines) == 2
