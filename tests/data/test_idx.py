import gzip
import struct

import pytest
import torch

from kdcli.data import idx
from kdcli.data.idx import parse, unpacked

IMAGES = struct.pack(">IIII", 2051, 2, 3, 4) + bytes(range(24))
LABELS = struct.pack(">II", 2049, 3) + bytes([7, 0, 9])
COLOURS = struct.pack(">IIIII", 2052, 1, 2, 2, 3) + bytes(12)


def test_images_and_labels() -> None:
    assert torch.equal(parse(IMAGES, idx.IMAGES), torch.arange(24, dtype=torch.uint8).view(2, 3, 4))
    assert parse(LABELS, idx.LABELS).tolist() == [7, 0, 9]


@pytest.mark.parametrize(
    ("code", "form", "values", "dtype"),
    [
        (0x08, "B", [0, 255], torch.uint8),
        (0x09, "b", [-128, 127], torch.int8),
        (0x0B, "h", [-2, 259], torch.int16),
        (0x0C, "i", [-(2**31), 2**31 - 1], torch.int32),
        (0x0D, "f", [0.5, -1e30], torch.float32),
        (0x0E, "d", [0.1, 1e300], torch.float64),
    ],
)
def test_every_type_is_read_as_it_is(code: int, form: str, values: list[float], dtype: torch.dtype) -> None:
    read = parse(struct.pack(f">HBBI2{form}", 0, code, 1, 2, *values), idx.LABELS)
    assert torch.equal(read, torch.tensor(values, dtype=dtype))
    assert read.dtype == dtype


@pytest.mark.parametrize(
    ("content", "magic", "words"),
    [
        (
            LABELS,
            idx.IMAGES,
            r"it holds labels \(magic 2049, uint8, shape 3\), not images: kd expects 3 axes",
        ),
        (
            IMAGES,
            idx.LABELS,
            r"images \(magic 2051, uint8, shape 2 × 3 × 4\), not labels: kd expects 1 axis",
        ),
        (COLOURS, idx.IMAGES, r"it holds data \(magic 2052, uint8, shape 1 × 2 × 2 × 3\), not images"),
        (COLOURS[:9], idx.IMAGES, r"\(magic 2052, uint8, cut short within the header\)"),
        (struct.pack(">II", 0x0A01, 1) + b"\0", idx.LABELS, "no IDX data that kd knows .*starts with 2561"),
        (b"\x00\x00", idx.LABELS, "it holds no IDX data .*2 bytes only"),
        (b"", idx.LABELS, "it is empty"),
        (b"hello, world", idx.IMAGES, "no IDX data that kd knows .*starts with 1751477356"),
        (IMAGES[:10], idx.IMAGES, "ends within its header"),
        (IMAGES[:-1], idx.IMAGES, "should hold 2 × 3 × 4 bytes, but holds 23"),
        (IMAGES + b"\x00", idx.IMAGES, "but holds 25"),
        (struct.pack(">IIII", 2051, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"x", idx.IMAGES, "but holds 1"),
        (struct.pack(">II", 0x0C01, 3) + bytes(11), idx.LABELS, "should hold 3 × 4 bytes, but holds 11"),
        (struct.pack(">II", 2049, 0), idx.LABELS, "is empty"),
    ],
)
def test_what_is_no_idx_file_says_why(content: bytes, magic: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(content, magic)


def test_gzip_or_not() -> None:
    assert unpacked(gzip.compress(IMAGES)) == unpacked(IMAGES) == IMAGES


def test_gzip_of_several_members_and_zeros_after_the_last() -> None:
    packed = b"".join(gzip.compress(IMAGES[k : k + 10]) for k in range(0, len(IMAGES), 10))
    assert unpacked(packed) == unpacked(packed + bytes(512)) == IMAGES


def test_damaged_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(IMAGES)
    with pytest.raises(ValueError, match="cut short"):
        unpacked(packed[:-9])
    with pytest.raises(ValueError, match="damaged"):
        unpacked(packed[:12] + b"\xff\xff" + packed[14:])
    with pytest.raises(ValueError, match="damaged"):  # its own checksum
        unpacked(packed[:-8] + bytes(8))
    with pytest.raises(ValueError, match="more after the end"):
        unpacked(packed + b"and this")
    with pytest.raises(ValueError, match="cut short"):
        unpacked(packed + packed[:-9])
    with pytest.raises(ValueError, match="damaged"):
        unpacked(packed + packed[:-8] + bytes(8))
    monkeypatch.setattr(idx, "MOST", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        unpacked(packed)
    with pytest.raises(ValueError, match="more than 10 bytes"):  # all members together
        unpacked(gzip.compress(b"0123456") + gzip.compress(b"789a"))
    assert unpacked(gzip.compress(b"0123456") + gzip.compress(b"789")) == b"0123456789"
