"""Damaged files of a user lead to an error that says so, or to data with every row accounted for.

`KD_FUZZ=40 pytest tests/data/test_fuzz.py` tries forty times as many, at random.
"""

import csv
import gzip
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from unittest import mock

import numpy as np
import polars as pl
import pytest
import torch
from data.made import CLASSES, labelled_pixels, own_images
from fuzzing import trials
from hypothesis import event, given
from hypothesis import strategies as st
from PIL import Image

from kdcli.data import SPLITS, Sample, arrays, images, table
from kdcli.data.tables import lines
from kdcli.data.tables.missing import MISSING
from kdcli.data.tables.reading import read_table
from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError

X, Y = labelled_pixels()
FRAME = pl.DataFrame(
    {
        "n": [k / 4 if k % 7 else None for k in range(60)],
        "word": ["red, or", 'a "blue"', "two\nlines"] * 20,
        "day": ["2024-01-31", "2023-12-01", None] * 20,
        "ok": [True, False] * 30,
        "y": [CLASSES[k] for k in Y],
    }
)
GONE = (None, None, None, 0, 1, 9, 10**9)  # bytes to replace: as many as are put in, none, or the rest
PIECES = st.binary(max_size=5) | st.sampled_from(
    [
        b'"',
        b",",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"?",
        b"NaN",
        b"inf",
        b"1e39",
        b";",
        b"\t",
        b"\xff",
        b"'",
        b"\n\n",
    ]
)


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Return a function that changes a file's bytes in one to three places, and may truncate it."""
    places = draw(
        st.lists(st.tuples(st.integers(0, 10**6), PIECES, st.sampled_from(GONE)), min_size=1, max_size=3)
    )

    def apply(content: bytes) -> bytes:
        for share, more, gone in places:
            at = share * len(content) // 10**6
            end = at + (len(more) if gone is None else gone)
            content = content[:at] + more + content[end:]
        return content

    return apply


def sampled(opened: Callable[[], tuple[object, Callable[[], Sample]]]) -> Sample | None:
    """Sample data; None if kd refuses them with a message and a hint."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            sample = opened()[1]()
        except KdError as error:
            refusal = error
        else:
            event("read")
            return sample
    event("refused")
    assert refusal.message
    assert refusal.hint
    return None


def assert_accounted(sample: Sample, rows: int) -> None:
    """Check that every row is in one split of each draw, or in a note on rows that were left out."""
    unlabelled = [re.match(r"([\d,]+) rows? without a label", note) for note in sample.notes]
    missing = sum(int(match[1].replace(",", "")) for match in unlabelled if match)
    pool = sample.pool
    assert len(pool.x) == len(pool.y) == rows - missing
    assert bool(pool.x.isfinite().all())
    assert {*pool.y.tolist()} == set(range(len(sample.classes)))
    for draw in range(pool.draws):
        index = torch.cat([pool.rows(split, draw) for split in SPLITS])
        assert index.sort().values.tolist() == list(range(len(pool.y)))


def as_csv() -> bytes:
    return FRAME.write_csv().encode()


def as_plain_csv() -> bytes:
    """The table without any quotes."""
    return FRAME.drop("word").write_csv(separator=";").encode()


def as_parquet() -> bytes:
    file = io.BytesIO()
    FRAME.write_parquet(file)
    return file.getvalue()


def as_arrow() -> bytes:
    file = io.BytesIO()
    FRAME.write_ipc(file)
    return file.getvalue()


def as_npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=X, y=Y)
    return file.getvalue()


def as_packed_npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x=X[:, 0] / 7, y=np.array(CLASSES)[Y])
    return file.getvalue()


def assert_table_ends_well(name: str, content: bytes) -> None:
    path = Path(name)
    path.write_bytes(content)
    config = table.Tabular(file=name, label="y", draws=2, val_fraction=0.3)
    sample = sampled(lambda: table.opened(config))
    if sample is None:
        return
    read = read_table(path, Dialect())
    for row in (0, read.frame.height - 1):
        assert read.place(row).startswith(path.name)
    if path.suffix == ".csv" and b'"' not in content:  # each line that says anything is then a row
        texts = content.decode().split("\n" if b"\n" in content else "\r")
        assert read.frame.height == sum(bool(line.strip(" ,;|\t\r")) for line in texts) - read.headed
    assert_accounted(sample, read.frame.height)


@pytest.mark.parametrize("made", [as_csv, as_plain_csv])
@given(damage=damages())
@trials(60)
def test_damaged_text_ends_well(made: Callable[[], bytes], damage: Callable[[bytes], bytes]) -> None:
    assert_table_ends_well("t.csv", damage(made()))


CELLS = st.text(alphabet='ab,;"\n 01.-?\t', max_size=5)


@given(
    rows=st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1)),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block=st.sampled_from([1, 5, 17, lines.BLOCK]),
)
@trials(150)
def test_every_cell_of_every_row_is_read(
    rows: list[tuple[str, ...]], separator: str, end: str, quoting: Literal[0, 1], block: int
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    Path("t.csv").write_bytes(text.getvalue().encode())
    expected = [[cell.strip() for cell in row] for row in rows if any(map(str.strip, row))]
    if not expected:
        with pytest.raises(KdError, match=r"is empty|no rows"):
            read_table(Path("t.csv"), Dialect(separator, ".", header=False))
        return
    with mock.patch.object(lines, "BLOCK", block):
        in_blocks = read_table(Path("t.csv"), Dialect(separator, ".", header=False))
    frame, whole = in_blocks.frame, read_table(Path("t.csv"), Dialect(separator, ".", header=False))
    assert frame.equals(whole.frame)
    assert in_blocks.notes == whole.notes
    places = range(frame.height)
    assert list(map(in_blocks.place, places)) == list(map(whole.place, places))
    assert frame.height == len(expected)
    for column, cells in zip(frame, zip(*expected, strict=True), strict=True):
        values = [None if cell in MISSING else cell for cell in cells]
        if column.dtype == pl.String:
            assert column.to_list() == values
        else:
            assert column.to_list() == [None if value is None else float(value) for value in values]


@pytest.mark.parametrize(("name", "made"), [("t.parquet", as_parquet), ("t.arrow", as_arrow)])
@given(damage=damages())
@trials(15)  # each starts a process
def test_damaged_columnar_files_end_well(
    name: str, made: Callable[[], bytes], damage: Callable[[bytes], bytes]
) -> None:
    assert_table_ends_well(name, damage(made()))


@given(damage=damages())
@trials(30)
def test_damaged_gzip_ends_well(damage: Callable[[bytes], bytes]) -> None:
    assert_table_ends_well("t.csv.gz", damage(gzip.compress(as_csv(), mtime=0)))


@pytest.mark.parametrize("made", [as_npz, as_packed_npz])
@given(damage=damages())
@trials(60)
def test_damaged_arrays_end_well(made: Callable[[], bytes], damage: Callable[[bytes], bytes]) -> None:
    Path("a.npz").write_bytes(damage(made()))
    sample = sampled(lambda: arrays.opened(arrays.Arrays(file="a.npz", draws=2)))
    if sample is not None:
        assert_accounted(sample, 60)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "pgm"])
@given(damage=damages(), mode=st.sampled_from(["L", "RGB", "P"]))
@trials(15)
def test_damaged_images_end_well(suffix: str, damage: Callable[[bytes], bytes], mode: str) -> None:
    path = Path(own_images(), "cat", f"00.{suffix}")
    Path("own/cat/00.png").unlink()
    file = io.BytesIO()
    kind = {"jpg": "jpeg", "tif": "tiff", "pgm": "ppm"}.get(suffix, suffix)
    mode = "L" if kind == "jpeg" and mode == "P" else mode if kind != "ppm" else "L"
    Image.fromarray(X[0]).convert(mode).save(file, kind)
    path.write_bytes(damage(file.getvalue()))
    sample = sampled(lambda: images.opened(images.Images(file="own", draws=2, image_size=6)))
    path.unlink()
    if sample is not None:
        assert_accounted(sample, 60)
