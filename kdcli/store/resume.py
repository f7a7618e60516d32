"""The saved state of a long training: one file, kept until the training's result is stored.

The file begins with the SHA-256 of the rest, so that a damaged state is never resumed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError
from kdcli.store.files import follow_no_link, read_whole, write_file
from kdcli.store.versions import FORMAT, NewerError, is_newer
from kdcli.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

DIGEST = hashlib.sha256().digest_size
LARGEST_HEADER = 2**24  # bytes


@dataclass(frozen=True)
class ResumePoint:
    """The state of one training of a run, with what identifies that training."""

    path: Path

    def save(self, identity: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Save a state, replacing an older one; raises `KdError` if it cannot be written."""
        from safetensors.torch import save

        follow_no_link(self.path.parent, self.path.parent.parent)
        kd = {"format": str(FORMAT), "version": __version__}
        content = save(dict(tensors), {"identity": json.dumps(identity), **kd})
        write_file(self.path, hashlib.sha256(content).digest(), content)

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Return the saved identity and state; None if there is no state, or it is damaged.

        Raises `NewerError` for a state of a newer kd, and `KdError` for one that cannot be read now, for
        example because it does not fit in memory.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        if not self._is_file():
            return None
        if newer := self.newer:
            raise newer
        try:
            whole = read_whole(self.path)
        except KdError as error:
            path = shlex.quote(str(self.path))
            raise KdError(error.message, f"resolve this, or train from the start: `rm {path}`") from None
        content = whole[DIGEST:]
        if hashlib.sha256(content).digest() != whole[:DIGEST]:
            return None
        size = int.from_bytes(content[:8], "little")
        try:
            identity = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["identity"])
            return identity, load(content)
        except (SafetensorError, ValueError, KeyError, TypeError):
            return None

    def clear(self) -> None:
        """Delete the state, once its result is stored or cannot be reached."""
        if os.path.islink(self.path.parent) or self.newer:
            return
        with suppress(OSError):  # a state that cannot be removed is harmless: it leads to the same result
            self.path.unlink()
        with suppress(OSError):  # the folder may have the state of another training
            self.path.parent.rmdir()

    def _is_file(self) -> bool:
        return os.path.isfile(self.path) and not os.path.islink(self.path)

    @property
    def newer(self) -> NewerError | None:
        """The error for a state of a newer kd, which may be able to resume it; None for other states."""
        if not self._is_file():
            return None
        try:
            with self.path.open("rb") as file:
                start = file.read(DIGEST + 8)
                size = min(int.from_bytes(start[DIGEST:], "little"), LARGEST_HEADER)
                metadata = json.loads(file.read(size))["__metadata__"]
            version, number = metadata.get("version", ""), int(metadata.get("format", 0))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        if not (is_newer(version, number) and self.whole):
            return None
        hint = "update kd, or move the file elsewhere to train from the start"
        return NewerError(self.path, version, number, hint=hint)

    @property
    def whole(self) -> bool:
        """Whether the state is intact, so that a training can be resumed from it."""
        if not self._is_file():
            return False
        try:
            with self.path.open("rb") as file:
                digest = file.read(DIGEST)
                return hashlib.file_digest(file, "sha256").digest() == digest
        except OSError:
            return False
