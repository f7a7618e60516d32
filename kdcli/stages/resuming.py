"""Long trainings keep their state on the way, and go on from it when the same command runs again."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from kdcli.errors import KdError
from kdcli.store import ResumePoint

SECONDS = 5.0  # of training between two states that are kept
SHARE = 0.05  # of the time that keeping states may take


@dataclass
class KeptTraining:
    """The training with this identity, kept at a point; another training's state there is not taken.

    The identity has all that the training depends on: configurations, what they are made from, versions.
    """

    point: ResumePoint
    identity: Mapping[str, Any]
    _next: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def load(self) -> Mapping[str, Tensor] | None:
        """Return the state that was kept of this very training; None if there is none."""
        kept = self.point.load()
        return kept[1] if kept and kept[0] == self.identity else None

    def due(self) -> bool:
        """Whether it is time to keep the state again."""
        return time.monotonic() >= self._next

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Keep a state, and wait for the next the longer, the longer this took.

        A training whose state finds no room goes on all the same: its result may be smaller.
        """
        start = time.monotonic()
        with suppress(KdError):
            self.point.save(self.identity, state)
        end = time.monotonic()
        self._next = end + max(SECONDS, (end - start) / SHARE)


def identity(records: list[Mapping[str, Any]], parents: Mapping[str, str]) -> dict[str, Any]:
    """Return what identifies the training of these configurations from these parents' digests."""
    versions = {name: version(name) for name in ("kdcli", "torch")}
    threads = torch.get_num_threads()  # over which sums are split
    return {"records": records, "parents": dict(parents), "versions": versions, "threads": threads}
