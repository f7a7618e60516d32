"""IDX, the format of the MNIST files: a magic number, the sizes of the axes, and the bytes themselves.

After LeCun's description of the MNIST database. All numbers are big-endian. The magic number is two
zero bytes, the type of the values (8 for unsigned bytes), and how many axes there are.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LABELS, IMAGES = 2049, 2051
WORDS = {LABELS: "labels", IMAGES: "images"}
MOST = 1_000_000_000  # bytes that a file may unpack to


def unpacked(content: bytes) -> bytes:
    """Return the content of a file that may be gzipped; raises ValueError for gzip that is damaged."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(content, MOST)
    except zlib.error as error:
        raise ValueError(f"its gzip is damaged: {error}") from None
    if not unpacker.eof:
        more = unpacker.unconsumed_tail
        raise ValueError(f"it unpacks to more than {MOST:,} bytes" if more else "its gzip is cut short")
    if unpacker.unused_data:
        raise ValueError("there is more after the end of its gzip")
    return plain


def parse(content: bytes, magic: int) -> Tensor:
    """Read labels `(n,)` or images `(n, rows, columns)`, uint8; raises ValueError saying what is wrong."""
    import torch

    if not content:
        raise ValueError("it is empty")
    found = struct.unpack_from(">I", content)[0] if len(content) >= 4 else None
    if found != magic:
        known = f" ({WORDS[found]})" if found in WORDS else ", and is no IDX file"
        raise ValueError(f"it does not start with {magic} ({WORDS[magic]}): it starts with {found}{known}")
    axes = magic & 0xFF
    start = 4 + 4 * axes
    if len(content) < start:
        raise ValueError("it ends within its header")
    sizes = struct.unpack_from(f">{axes}I", content, 4)
    if len(content) - start != math.prod(sizes):
        shape = " × ".join(map(str, sizes))
        raise ValueError(f"it should hold {shape} bytes, and holds {len(content) - start}")
    if not math.prod(sizes):
        raise ValueError("it is empty")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).view(sizes)
