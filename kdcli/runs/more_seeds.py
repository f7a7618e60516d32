"""Student sets with fewer seeds than requested: which seeds are missing, and how students are joined.

A seed alone determines everything random about a student (its family's `SEEDS`), so the students of a set may
be trained in several calls.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from kdcli.runs.stored import TrainedStudents
from kdcli.runs.student_sets import LOST, StudentSet


class Members(NamedTuple):
    """Students of one set: their record, tensors by file, and what is measured while they are trained.

    `predictions (draws, seeds, n, n_classes)` are for the test split. `described` has numbers that describe
    each student, such as a tree's leaves, by draw and seed. `seconds` is the time to train all of them.
    """

    set: StudentSet
    tensors: Mapping[str, Mapping[str, Tensor]]
    predictions: Tensor
    described: Mapping[str, list[list[float]]]
    seconds: float


def as_stored(wanted: StudentSet, stored: TrainedStudents | None, *, force: bool) -> StudentSet:
    """Return the wanted set with the seeds of the stored set, so that it is reused whatever their number.

    A value that the stored set chose is kept. With `force`, the set keeps its wanted seeds unless the stored
    set was asked for the same ones.
    """
    if stored is None or (force and stored.set.seeds_asked != wanted.seeds):
        return wanted
    lost = {why: getattr(stored.set, why) for why in LOST}
    chosen = stored.set.chosen if stored.set.settings == wanted.settings else None
    return replace(wanted, seeds=stored.set.seeds, **lost, chosen=chosen)


def stored_members(students: TrainedStudents) -> Members:
    """Read stored students, to join others to them; raises `DamagedError` if they cannot be trusted."""
    tensors: dict[str, Mapping[str, Tensor]] = {"model": students.load_tensors()}
    if history := students.load_history():
        tensors["history"] = history
    return Members(students.set, tensors, students.load_tested(), students.described, students.meta.seconds)


def joined(stored: Members, more: Members) -> Members:
    """Join the students of a set with those of further seeds; raises ValueError if they do not fit."""
    return Members(
        replace(
            more.set,
            seeds=(*stored.set.seeds, *more.set.seeds),
            diverged=(*stored.set.diverged, *more.set.diverged),
            overflowed=(*stored.set.overflowed, *more.set.overflowed),
        ),
        {file: _joined_tensors(named, more.tensors[file]) for file, named in stored.tensors.items()},
        torch.cat([stored.predictions, more.predictions], dim=1),
        {
            name: [[*ours, *others] for ours, others in zip(values, more.described[name], strict=True)]
            for name, values in stored.described.items()
        },
        stored.seconds + more.seconds,
    )


def _joined_tensors(stored: Mapping[str, Tensor], more: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join tensors `(draws, seeds, ...)` along their seeds; all must share the epochs of learning curves.

    Smaller trees are padded with zeros to the number of nodes of the largest.
    """
    if "epochs" in stored and not torch.equal(stored["epochs"], more["epochs"]):
        raise ValueError("its learning curves have other epochs than its configuration")
    return {
        name: value if name == "epochs" else _joined_seeds(value, more[name])
        for name, value in stored.items()
    }


def _joined_seeds(ours: Tensor, others: Tensor) -> Tensor:
    sizes = [max(pair) for pair in zip(ours.shape[2:], others.shape[2:], strict=True)]

    def filled(tensor: Tensor) -> Tensor:
        missing = [size - there for size, there in zip(sizes, tensor.shape[2:], strict=True)]
        return pad(tensor, [amount for more in reversed(missing) for amount in (0, more)])

    return torch.cat([filled(ours), filled(others)], dim=1)
