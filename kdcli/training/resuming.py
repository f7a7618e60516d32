"""Long trainings keep their state on the way, and go on from it when the same command runs again."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from kdcli.errors import KdError
from kdcli.models.family import History
from kdcli.store import ResumePoint, Run
from kdcli.version import installed

SECONDS = 5.0  # of training between two states that are kept
SHARE = 0.05  # of the time that keeping states may take


class ResumePoints:
    """Where the parts of a training keep their states, each in a file of its own."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name

    def __getitem__(self, part: int) -> ResumePoint:
        return self.run.resume_point(f"{self.name}.{part}")

    def kept(self) -> dict[str, Any]:
        """Return what identifies the training whose states are there, and all its parts share; or nothing."""
        kept = self[0].load()
        return {key: value for key, value in kept[0].items() if key != "part"} if kept else {}

    def clear(self) -> None:
        """Forget all states: the result is stored, or none can come of them."""
        for path in self[0].path.parent.glob(f"{self.name}.*"):
            ResumePoint(path).clear()


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
    versions = {name: installed(name) for name in ("kdcli", "torch")}
    curves = list(History._fields)  # which are resumed too
    return {"records": records, "parents": dict(parents), "versions": versions, "curves": curves}
