"""Tensors in memory that several processes share, passed on as a file descriptor; only on Linux.

The memory has the size of a JSON header, the header, and then every tensor in its memory layout.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

ALIGNMENT = 64  # bytes; tensors start at multiples of it
LENGTH = struct.Struct("<q")


def pack(tensors: Mapping[str, Tensor]) -> int:
    """Copy tensors into new shared memory, with their memory layout; returns its file descriptor."""
    import torch

    order = {
        name: sorted(range(tensor.ndim), key=lambda axis, t=tensor: (-t.stride(axis), axis))  # type: ignore[misc]
        for name, tensor in tensors.items()
    }
    laid = {name: tensor.permute(order[name]) for name, tensor in tensors.items()}
    header = json.dumps(
        [[name, str(t.dtype).removeprefix("torch."), list(t.shape), order[name]] for name, t in laid.items()]
    ).encode()
    places, end = [], LENGTH.size + len(header)
    for tensor in laid.values():
        places.append(_aligned(end))
        end = places[-1] + tensor.numel() * tensor.element_size()
    memory = os.memfd_create("kd", os.MFD_CLOEXEC)
    os.ftruncate(memory, end)
    with mmap.mmap(memory, end) as content:
        content[: LENGTH.size + len(header)] = LENGTH.pack(len(header)) + header
        for tensor, place in zip(laid.values(), places, strict=True):
            if tensor.numel():
                flat = torch.frombuffer(content, dtype=tensor.dtype, count=tensor.numel(), offset=place)
                flat.view(tensor.shape).copy_(tensor)
                del flat  # which would keep the memory mapped
    return memory


def unpack(memory: int) -> dict[str, Tensor]:
    """Return the tensors in shared memory without copying them, and close its file descriptor.

    Other processes do not see changes to them.
    """
    import torch

    content = mmap.mmap(memory, 0, access=mmap.ACCESS_COPY)
    os.close(memory)
    (size,) = LENGTH.unpack(content[: LENGTH.size])
    tensors, end = {}, LENGTH.size + size
    for name, kind, shape, order in json.loads(content[LENGTH.size : end]):
        dtype, count = getattr(torch, kind), math.prod(shape)
        if count:
            place = _aligned(end)
            flat = torch.frombuffer(content, dtype=dtype, count=count, offset=place)
            end = place + count * flat.element_size()
        else:
            flat = torch.empty(0, dtype=dtype)
        back = sorted(range(len(order)), key=order.__getitem__)
        tensors[name] = flat.view(shape).permute(back)
    return tensors


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT
