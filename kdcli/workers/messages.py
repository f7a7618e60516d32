"""Tasks and their results, and the messages about them between this process and a worker, as JSON."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

LENGTH = struct.Struct("<q")  # the length of a message, which is sent before it

Tell: TypeAlias = Callable[[Any], None]
"""Sends a value that JSON can express from a task to the process that waits for it."""


@dataclass(frozen=True)
class Result:
    """The result of a task: a value that JSON can express, and tensors by name."""

    value: Any
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


Work: TypeAlias = "Callable[[Any, Mapping[str, Tensor], Tell], Result]"
"""Does one task, given its own parameters, the tensors that all tasks share, and a function for messages."""


def message(kind: str, value: Any) -> bytes:
    """Encode a message of this kind."""
    content = json.dumps([kind, value]).encode()
    return LENGTH.pack(len(content)) + content


def first_message(read: bytearray) -> tuple[str, Any] | None:
    """Remove the first message from the bytes that were read; None unless all of it has arrived."""
    if len(read) < LENGTH.size:
        return None
    end = LENGTH.size + LENGTH.unpack(read[: LENGTH.size])[0]
    if len(read) < end:
        return None
    kind, value = json.loads(bytes(read[LENGTH.size : end]))
    del read[:end]
    return kind, value
