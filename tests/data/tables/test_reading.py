import gzip
from pathlib import Path

import polars as pl
import pytest
from data.made import SHARED, written

from kdcli.data.tables.reading import Table, is_table, read_table
from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError, UsageError

ROWS = [("ann", 1.5), ("bob", 2.5)]


def read(content: str | bytes, name: str = "t.csv", **options: object) -> Table:
    return read_table(Path(written(name, content)), Dialect(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("separator", "words"), [(",", ""), (";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")]
)
def test_the_separator_is_recognised_and_told_unless_it_is_a_comma(separator: str, words: str) -> None:
    table = read(f"name{separator}size\nann{separator}1.5\nbob{separator}2.5\n")
    assert table.frame.columns == ["name", "size"]
    assert table.frame.rows() == ROWS
    assert [note for note in table.notes if "separated" in note] == (
        [f"columns are separated by {words} (--separator)"] if words else []
    )


def test_a_separator_that_is_given_is_taken() -> None:
    assert read("a;b,c;d\nx;1,2;y\n", separator=",").frame.columns == ["a;b", "c;d"]
    assert read("a^b\nx^1\n", separator="^").frame.rows() == [("x", 1)]


@pytest.mark.parametrize("separator", [";;", "\n", '"', "·"])
def test_a_separator_is_one_ascii_character_or_a_tab_as_it_is_typed(separator: str) -> None:
    assert read("a\tb\nx\t1\n", separator="\\t").frame.rows() == [("x", 1)]
    with pytest.raises(UsageError, match="is not one ASCII character"):
        read("a,b\nx,1\n", separator=separator)


def test_a_first_line_with_a_number_is_no_header() -> None:
    table = read("ann,1.5\nbob,2.5\n")
    assert (table.frame.columns, table.frame.rows(), table.headed) == (["column 1", "column 2"], ROWS, False)
    assert "there is no header" in table.notes[0]


def test_a_header_may_have_numbers_that_are_said_and_a_name_that_is_missing() -> None:
    numbers = ("0", "1")
    assert read("id,1,0\na,2,3\n", numbers=numbers).frame.columns == ["id", "1", "0"]
    assert read(",1,0\n7,2,3\n", numbers=numbers, unnamed="index").frame.columns == ["index", "1", "0"]
    for content in ("1,2\n3,4\n", "1,1\n3,4\n", "a,0.5\nb,3\n"):
        assert not read(content, numbers=numbers).headed


def test_without_a_header_the_first_line_is_a_row_whatever_it_has() -> None:
    table = read("x,y\nann,bob\n", header=False)
    assert table.frame.rows() == [("x", "y"), ("ann", "bob")]
    assert table.notes == ()


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    table = read(b"\xef\xbb\xbfname,size\nann,1.5\nbob,2.5\n")
    assert table.frame.columns == ["name", "size"]
    assert table.notes == ("a byte-order mark before the first line was skipped",)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", [False, True])
def test_blank_lines_are_left_out_and_each_row_keeps_its_line(end: str, quoted: bool) -> None:
    ann = '"ann"' if quoted else "ann"
    lines = ["", "", "name,size", f"{ann},1.5", "", "   ", "bob,2.5", "", ""]
    table = read(end.join(lines))
    assert table.frame.rows() == ROWS
    assert [table.place(row) for row in range(2)] == ["t.csv, line 4", "t.csv, line 7"]
    assert any("blank line" in note for note in table.notes)


def test_a_row_that_spans_lines_is_named_by_its_first_and_moves_those_after_it() -> None:
    table = read('name,size\n"a\nn\nn",1.5\nbob,2.5\n')
    assert table.frame["name"].to_list() == ["a\nn\nn", "bob"]
    assert [table.place(row) for row in range(2)] == ["t.csv, line 2", "t.csv, line 5"]


def test_lines_end_as_on_an_old_macintosh() -> None:
    assert read("name,size\rann,1.5\rbob,2.5\r").frame.rows() == ROWS


def test_words_for_missing_values_are_nulls_and_counted() -> None:
    table = read("a,b\n?,1\nNA,2\nx,\n-,nan\n  ,?\ny,5\n", missing=("-", "?"))
    assert table.frame["a"].to_list() == [None, None, "x", None, None, "y"]
    assert table.frame["b"].to_list() == [1, 2, None, None, None, 5]
    (note,) = (note for note in table.notes if "missing values" in note)
    assert "'?' (2)" in note
    assert "'NA' (1)" in note
    assert "'nan' (1)" in note
    assert "'-' (1)" in note


def test_spaces_around_values_are_no_part_of_them() -> None:
    assert read("name , size\n ann, 1.5\nbob , 2.5 \n").frame.rows() == ROWS


def test_decimal_commas_are_recognised_told_and_refused_on_demand() -> None:
    content = "name;size;n\nann;1,5;3\nbob;2,5;4\n"
    table = read(content)
    assert table.frame.rows() == [("ann", 1.5, 3), ("bob", 2.5, 4)]
    assert "decimal commas in size (--decimal . takes them for text)" in table.notes
    assert read(content, decimal=".").frame["size"].to_list() == ["1,5", "2,5"]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [(["500", "1,234.50", "2,593"], [500, 1234.5, 2593]), (["1,410,500", "7"], [1_410_500, 7])],
)
def test_commas_of_thousands_are_removed_and_told(cells: list[str], numbers: list[float]) -> None:
    table = read("a;b\n" + "".join(f"{cell};x\n" for cell in cells))
    assert table.frame["a"].to_list() == numbers
    assert "commas of thousands were removed in a" in table.notes


def test_commas_that_may_be_either_are_asked_for() -> None:
    content = "a;b\n500;x\n2,593;x\n"
    with pytest.raises(KdError, match=r"numbers such as '2,593': thousands, or a decimal comma\?") as asked:
        read(content)
    assert "--decimal" in str(asked.value.hint)
    assert read(content, decimal=".").frame["a"].to_list() == [500, 2593]
    assert read(content, decimal=",").frame["a"].to_list() == [500, 2.593]


def test_a_column_with_commas_beside_other_texts_stays_text() -> None:
    assert read("a;b\n1,5;x\nx,y;z\n").frame["a"].to_list() == ["1,5", "x,y"]


def test_quoted_texts_may_have_separators_quotes_and_line_ends() -> None:
    table = read('a,b\n"x, ""y""\nz",1\n"","2"\n')
    assert table.frame.rows() == [('x, "y"\nz', 1), (None, 2)]


def test_a_quote_within_a_text_without_quotes_is_a_character() -> None:
    assert read('a,b\n5" pipe,x\n6 pipe,y\n').frame["a"].to_list() == ['5" pipe', "6 pipe"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n\n3\n", "line 4: 1 columns, but line 1 has 2"),
        ("a,b\n1,2,3\n", "line 2: 3 columns, but line 1 has 2"),
        ('a,b\n"x\ny",2\n3\n', "line 4: 1 columns, but line 1 has 2"),
        ('a,b\n1,2\n"x,2\n', "line 3: unexpected end of data"),
        ('a,b\n1,2\n"x" z,2\n', "line 3: ',' expected after '\"'"),
        ("a,b,a\n1,2,3\n", "line 1: two columns are called 'a'"),
        ("\na,b,a\n1,2,3\n", "line 2: two columns are called 'a'"),
        (",b\n1,2\n", r"line 1: column 1 has no name \(an index that was saved with the table\?\)"),
        ("a,,c\n1,2,3\n", "line 1: column 2 has no name"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a,b\n", "has a header but no rows"),
        ("a,b\n,\n\n", "has a header but no rows"),
        ("a,b\nx,1\n".encode("utf-16"), "not UTF-8 text, but UTF-16 or binary"),
        ("a,b\nx,1\n".encode("utf-16-le"), "not UTF-8 text, but UTF-16 or binary"),
        ("a,b\nx,1\nMüller,2\n".encode("latin-1"), "line 3: byte 0xfc is not UTF-8; is the file in Latin-1"),
    ],
)
def test_what_is_no_table_names_the_file_the_line_and_what_was_expected(
    content: str | bytes, words: str
) -> None:
    with pytest.raises(KdError, match=rf"t\.csv.*{words}") as problem:
        read(content)
    assert problem.value.hint


def test_a_table_of_one_row_or_of_one_column() -> None:
    assert read("a,b\nx,1\n").frame.rows() == [("x", 1)]
    table = read("a\n1\n\n2\n")
    assert table.frame.rows() == [(1,), (2,)]
    assert table.place(1) == "t.csv, line 4"


def test_gzip_and_tsv() -> None:
    assert read(gzip.compress(b"name\tsize\nann\t1.5\nbob\t2.5\n"), "t.tsv.gz").frame.rows() == ROWS
    packed = gzip.compress(b"name,size\nann,1.5\n" * 99)
    for damaged in (packed[:-9], packed[:30] + b"\xff" * 9 + packed[39:]):
        with pytest.raises(KdError, match=r"t\.csv\.gz is damaged"):
            read(damaged, "t.csv.gz")


def test_a_file_that_is_not_there_or_a_folder() -> None:
    Path("folder.csv").mkdir()
    for name in ("nothing.csv", "folder.csv"):
        with pytest.raises(KdError, match=f"cannot read {name}"):
            read_table(Path(name), Dialect())


def test_codes_with_leading_zeros_stay_text_and_whole_numbers_are_whole() -> None:
    frame = read("zip,n,x,big\n01234,7,1.0,12345678901234567890\n99999,-8,2,1\n").frame
    assert frame["zip"].to_list() == ["01234", "99999"]
    assert frame.dtypes[1:] == [pl.Int64, pl.Float64, pl.Float64]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", True),
        ("A.CSV", True),
        ("a.tsv.gz", True),
        ("a.parquet", True),
        ("a.arrow", True),
        ("a.npz", False),
        ("csv", False),
        ("a.gz", False),
    ],
)
def test_a_table_is_known_by_its_name(name: str, expected: bool) -> None:
    assert is_table(Path(name)) is expected


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real tables are not here")
@pytest.mark.parametrize(
    ("name", "shape", "headed", "last"),
    [
        ("adult-train.csv", (32_561, 15), False, 32_561),
        ("adult-test.csv", (16_281, 15), False, 16_281),
        ("telco-churn.csv", (7043, 26), True, 7044),
        ("horse-colic.csv", (300, 28), False, 300),
        ("mammography.csv", (11_183, 7), False, 11_183),
        ("winequality-red.csv", (1599, 12), False, 1599),
    ],
)
def test_real_tables_have_all_of_their_rows(
    name: str, shape: tuple[int, int], headed: bool, last: int
) -> None:
    table = read_table(SHARED / name, Dialect())
    assert (table.frame.shape, table.headed) == (shape, headed)
    assert table.place(shape[0] - 1) == f"{name}, line {last}"


@pytest.mark.parametrize("header", ["a,b\n", ""])
@pytest.mark.parametrize("quoted", [False, True])
def test_the_first_rows_alone_are_read_and_the_others_told(header: str, quoted: bool) -> None:
    text = '"x\ny"' if quoted else "x"
    content = header + "".join(f"{k},{text}\n" for k in range(20))
    table = read(content.encode(), rows=5)
    assert table.frame.height == 5
    assert table.frame[table.frame.columns[0]].to_list() == [0, 1, 2, 3, 4]
    assert "only the first 5 of 20 rows were read (--n-rows)" in table.notes
    assert not any("only the first" in note for note in read(content.encode(), rows=20).notes)
