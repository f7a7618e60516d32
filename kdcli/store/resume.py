"""Where a long training got to: one file, kept until its result is stored.

The file has the SHA-256 of the rest first, so that a damaged one is not taken for a training.
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
        """Keep a state in place of an older one; raises `KdError` where that cannot be."""
        from safetensors.torch import save

        follow_no_link(self.path.parent, self.path.parent.parent)
        kd = {"format": str(FORMAT), "version": __version__}
        content = save(dict(tensors), {"identity": json.dumps(identity), **kd})
        write_file(self.path, hashlib.sha256(content).digest(), content)

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Return the identity and the state that are kept; None if there are none, or none that is whole.

        Raises `NewerError` for one of a newer kd, and `KdError` for one that cannot be read now, as when
        memory has no room for it.
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
            raise KdError(error.message, f"see to that, or train from the start: `rm {path}`") from None
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
        """Forget the state: its result is stored, or none can come of it."""
        if os.path.islink(self.path.parent) or self.newer:
            return
        with suppress(OSError):  # what cannot be removed is no state, or one that leads to the same result
            self.path.unlink()
        with suppress(OSError):  # another training of the run may have its state there
            self.path.parent.rmdir()

    def _is_file(self) -> bool:
        return os.path.isfile(self.path) and not os.path.islink(self.path)

    @property
    def newer(self) -> NewerError | None:
        """The error for a state of a newer kd, which may go on from what this one cannot; None for others."""
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
        """Whether a training can go on from what is kept: it is what was written."""
        if not self._is_file():
            return False
        try:
            with self.path.open("rb") as file:
                digest = file.read(DIGEST)
                return hashlib.file_digest(file, "sha256").digest() == digest
        except OSError:
            return False
