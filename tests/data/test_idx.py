import gzip
import struct

import pytest
import torch

from kdcli.data import idx
from kdcli.data.idx import parse, unpacked

IMAGES = struct.pack(">IIII", 2051, 2, 3, 4) + bytes(range(24))
LABELS = struct.pack(">II", 2049, 3) + bytes([7, 0, 9])


def test_images_and_labels() -> None:
    assert torch.equal(parse(IMAGES, idx.IMAGES), torch.arange(24, dtype=torch.uint8).view(2, 3, 4))
    assert parse(LABELS, idx.LABELS).tolist() == [7, 0, 9]


@pytest.mark.parametrize(
    ("content", "magic", "words"),
    [
        (LABELS, idx.IMAGES, r"not start with 2051 \(images\): it starts with 2049 \(labels\)"),
        (IMAGES, idx.LABELS, r"starts with 2051 \(images\)"),
        (b"\x00\x00", idx.LABELS, "starts with None"),
        (b"", idx.LABELS, "it is empty"),
        (b"hello, world", idx.IMAGES, "starts with 1751477356, and is no IDX file"),
        (IMAGES[:10], idx.IMAGES, "ends within its header"),
        (IMAGES[:-1], idx.IMAGES, "should hold 2 × 3 × 4 bytes, and holds 23"),
        (IMAGES + b"\x00", idx.IMAGES, "and holds 25"),
        (struct.pack(">IIII", 2051, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"x", idx.IMAGES, "and holds 1"),
        (struct.pack(">II", 2049, 0), idx.LABELS, "is empty"),
    ],
)
def test_what_is_no_idx_file_says_why(content: bytes, magic: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(content, magic)


def test_gzip_or_not() -> None:
    assert unpacked(gzip.compress(IMAGES)) == unpacked(IMAGES) == IMAGES


def test_damaged_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(IMAGES)
    with pytest.raises(ValueError, match="cut short"):
        unpacked(packed[:-9])
    with pytest.raises(ValueError, match="damaged"):
        unpacked(packed[:12] + b"\xff\xff" + packed[14:])
    with pytest.raises(ValueError, match="damaged"):  # its own checksum
        unpacked(packed[:-8] + bytes(8))
    with pytest.raises(ValueError, match="more after the end"):
        unpacked(packed + packed)
    monkeypatch.setattr(idx, "MOST", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        unpacked(packed)
