from pathlib import Path

import pytest

from kdcli.data.tables.lines import check_lines, up_to_line, widths_of
from kdcli.errors import KdError

PATH = Path("t.csv")


def test_each_row_is_told_with_the_line_that_it_begins_at() -> None:
    content = b'a,b\n\n"1\n2",3\n4,5\n'
    assert list(widths_of(PATH, content, ",")) == [(1, 2), (2, 0), (3, 2), (5, 2)]
    width, lines = check_lines(PATH, content, ",")
    assert width == 2
    assert list(lines) == [1, 2, 3, 5]


def test_a_row_of_another_width_is_named_by_its_line() -> None:
    with pytest.raises(KdError, match=r"t\.csv, line 3: 3 columns, where line 1 has 2"):
        check_lines(PATH, b"a,b\n1,2\n3,4,5\n", ",")


@pytest.mark.parametrize(("line", "before"), [(1, b""), (2, b"a\n"), (3, b"a\nb\n"), (9, b"a\nb\nc")])
def test_what_stands_before_a_line(line: int, before: bytes) -> None:
    assert up_to_line(b"a\nb\nc", line) == before
