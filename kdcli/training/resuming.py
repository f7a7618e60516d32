"""Resuming: long trainings save their state, and the same command resumes from it when it runs again."""

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

SECONDS = 5.0  # of training between two saved states
SHARE = 0.05  # fraction of the time that saving states may take


class ResumePoints:
    """The resume points of the parts of a training, each a file of its own."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name

    def __getitem__(self, part: int) -> ResumePoint:
        return self.run.resume_point(f"{self.name}.{part}")

    def kept(self) -> dict[str, Any]:
        """Return the identity of the saved training that all its parts share; empty if there is none."""
        kept = self[0].load()
        return {key: value for key, value in kept[0].items() if key != "part"} if kept else {}

    def clear(self) -> None:
        """Delete all states, once the result is stored or cannot be reached."""
        for path in self[0].path.parent.glob(f"{self.name}.*"):
            ResumePoint(path).clear()


@dataclass
class KeptTraining:
    """The saved state of the training with this identity; the state of another training is not used.

    The identity has everything that the training depends on: configurations, parents, versions.
    """

    point: ResumePoint
    identity: Mapping[str, Any]
    _next: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def load(self) -> Mapping[str, Tensor] | None:
        """Return the saved state of this training; None if there is none."""
        kept = self.point.load()
        return kept[1] if kept and kept[0] == self.identity else None

    def due(self) -> bool:
        """Whether it is time to save the state again."""
        return time.monotonic() >= self._next

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Save a state; the longer this takes, the later the next one is due.

        If there is no room for the state, training continues: its result may be smaller.
        """
        start = time.monotonic()
        with suppress(KdError):
            self.point.save(self.identity, state)
        end = time.monotonic()
        self._next = end + max(SECONDS, (end - start) / SHARE)


def identity(records: list[Mapping[str, Any]], parents: Mapping[str, str]) -> dict[str, Any]:
    """Return the identity of the training of these configurations from parents with these digests."""
    versions = {name: installed(name) for name in ("kdcli", "torch")}
    curves = list(History._fields)  # which are resumed too
    return {"records": records, "parents": dict(parents), "versions": versions, "curves": curves}
