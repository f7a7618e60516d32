"""IDX, the format of the MNIST files: a magic number, the sizes of the axes, and the values themselves.

After LeCun's description of the MNIST database. All numbers are big-endian. The magic number is two
zero bytes, the type of the values (8 for unsigned bytes), and the number of axes.
"""

from __future__ import annotations

import math
import struct
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LABELS, IMAGES = 2049, 2051
WORDS = {LABELS: "labels", IMAGES: "images"}
TYPES = MappingProxyType(  # of the values: the name of each, and how NumPy spells it
    {
        0x08: ("uint8", ">u1"),
        0x09: ("int8", ">i1"),
        0x0B: ("int16", ">i2"),
        0x0C: ("int32", ">i4"),
        0x0D: ("float32", ">f4"),
        0x0E: ("float64", ">f8"),
    }
)
MOST = 1_000_000_000  # bytes that a file may unpack to
GZIP = b"\x1f\x8b"


def unpacked(content: bytes) -> bytes:
    """Return the content of a file that may be gzipped; raises ValueError if the gzip is damaged.

    As for gzip(1), there may be several members, one after the other, and zeros after the last.
    """
    if not content.startswith(GZIP):
        return content
    parts: list[bytes] = []
    room = MOST
    while content.startswith(GZIP):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            parts.append(unpacker.decompress(content, room + 1))  # 0 would mean no limit
        except zlib.error as error:
            raise ValueError(f"its gzip is damaged: {error}") from None
        room -= len(parts[-1])
        if room < 0:
            raise ValueError(f"it unpacks to more than {MOST:,} bytes")
        if not unpacker.eof:
            raise ValueError("its gzip is cut short")
        content = unpacker.unused_data
    if content.strip(b"\0"):
        raise ValueError("there is more after the end of its gzip")
    return b"".join(parts)


def parse(content: bytes, magic: int) -> Tensor:
    """Read labels `(n,)` or images `(n, rows, columns)`, in the type that the file has.

    `magic` is LABELS or IMAGES, and determines the number of axes. Raises ValueError with what the file
    holds and what was expected.
    """
    import numpy as np
    import torch

    if not content:
        raise ValueError("it is empty")
    axes = magic & 0xFF
    code, found_axes = _header(content)
    if code not in TYPES or found_axes != axes:
        types = ", ".join(name for name, _ in TYPES.values())
        raise ValueError(
            f"it holds {_held(content)}, not {WORDS[magic]}: kd expects {axes} "
            f"ax{'i' if axes == 1 else 'e'}s of {types} (the magic number for uint8 is {magic})"
        )
    start, dtype = 4 + 4 * axes, np.dtype(TYPES[code][1])
    if len(content) < start:
        raise ValueError("it ends within its header")
    sizes = struct.unpack_from(f">{axes}I", content, 4)
    if len(content) - start != math.prod(sizes) * dtype.itemsize:
        width = "" if dtype.itemsize == 1 else f" × {dtype.itemsize}"
        raise ValueError(f"it should hold {_shape(sizes)}{width} bytes, but holds {len(content) - start}")
    if not math.prod(sizes):
        raise ValueError(f"it is empty: its shape is {_shape(sizes)}")
    values = np.frombuffer(content, dtype, offset=start).reshape(sizes)
    return torch.from_numpy(values.astype(dtype.newbyteorder("=")))


def _header(content: bytes) -> tuple[int, int]:
    """Return the code of the type and the number of axes; without a header, a code that no type has."""
    magic = int.from_bytes(content[:4], "big") if len(content) >= 4 else 0
    return magic >> 8, magic & 0xFF


def _held(content: bytes) -> str:
    """Describe what a file holds according to its header: magic number, type and shape."""
    code, axes = _header(content)
    if code not in TYPES:
        start = str(int.from_bytes(content[:4], "big")) if len(content) >= 4 else f"{len(content)} bytes only"
        return f"no IDX data that kd knows (it starts with {start})"
    magic = code << 8 | axes
    named = f"{WORDS.get(magic, 'data')} (magic {magic}, {TYPES[code][0]}"
    if len(content) < 4 + 4 * axes:
        return f"{named}, cut short within the header)"
    return f"{named}, shape {_shape(struct.unpack_from(f'>{axes}I', content, 4))})"


def _shape(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes)) or "of no axes"
