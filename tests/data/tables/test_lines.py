import io
from pathlib import Path

import pytest

from kdcli.data.tables import lines
from kdcli.data.tables.lines import Rows
from kdcli.errors import KdError

PATH = Path("t.csv")
WAYS = [1, 2, 7, 10**6]  # bytes that are read at once


@pytest.fixture(params=WAYS, autouse=True)
def _in_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", request.param)


def read(content: bytes, separator: str = ",") -> tuple[bytes, list[int], int]:
    """Return what the blocks hold together, the line of each row, and the number of columns."""
    rows = Rows(PATH, io.BytesIO(content))
    blocks = list(rows.blocks(separator))
    whole = b"".join(block.content for block in blocks)
    return whole, [line for block in blocks for line in block.lines], rows.width


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_each_row_is_told_with_the_line_that_it_begins_at(end: bytes) -> None:
    content = b'a,b\n\n"x\ny",1\nz,2' + end
    assert read(content) == (content, [1, 2, 3, 5], 2)
    plain = b"a,b\n\nx,1\r\nz,2" + end
    assert read(plain) == (plain, [1, 2, 3, 4], 2)


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_blank_lines_before_the_first_row_are_left_out(quote: bytes) -> None:
    content = quote + b"a" + quote + b",b\n1,2\n"
    assert read(b"\n  \n" + content) == (content, [3, 4], 2)
    assert read(b"\n \n") == (b"", [], 0)


def test_quotes_within_a_text_are_no_ends_of_rows() -> None:
    content = b'a,b\n5" pipe,"x\ny"\n"1 ""\n""",2\n'
    assert read(content) == (content, [1, 2, 4], 2)


@pytest.mark.parametrize("row", [b"3,4,5", b'"3",4,5', b"3"])
def test_a_row_of_another_width_is_named_by_its_line(row: bytes) -> None:
    with pytest.raises(KdError, match=rf"line 3: {row.count(b',') + 1} columns, but line 1 has 2"):
        read(b"a,b\n1,2\n" + row + b"\n4,5\n")


def test_quotes_that_are_not_closed_are_named_by_the_line_that_they_begin_in() -> None:
    with pytest.raises(KdError, match=r"line 3: unexpected end"):
        read(b'a,b\n"1",2\n"3,4\n5,6\n')


def test_another_encoding_is_named_by_its_line() -> None:
    with pytest.raises(KdError, match=r"line 3: byte 0xfc"):
        read("a,b\n1,2\nfür,3\n".encode("latin-1"))
