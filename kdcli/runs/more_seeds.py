"""Student sets asked for with another number of seeds than they have: which are missing, and how they join.

A seed alone determines what is left to chance in a student, its family's `SEEDS`, so the students of a set
may be trained in several calls.
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
    """Students of one set: their record, tensors by file, and what is measured while they are made.

    `predictions (draws, seeds, n, n_classes)` are those of the test split. `described` has a number for each
    of them, such as that of a tree's leaves, by draw and seed. `seconds` is what making all of them took.
    """

    set: StudentSet
    tensors: Mapping[str, Mapping[str, Tensor]]
    predictions: Tensor
    described: Mapping[str, list[list[float]]]
    seconds: float


def as_stored(wanted: StudentSet, stored: TrainedStudents | None, *, force: bool) -> StudentSet:
    """Return a set with the seeds of the stored set, which may be reused whatever their number.

    What the stored set chose is not chosen anew.
    If it is to be made by `force` as it is asked for, that is only where as many seeds were asked for.
    """
    if stored is None or (force and stored.set.seeds_asked != wanted.seeds):
        return wanted
    lost = {why: getattr(stored.set, why) for why in LOST}
    chosen = stored.set.chosen if stored.set.settings == wanted.settings else None
    return replace(wanted, seeds=stored.set.seeds, **lost, chosen=chosen)


def stored_members(students: TrainedStudents) -> Members:
    """Read all that other students are joined with; raises `DamagedError` where it is not to be trusted."""
    tensors: dict[str, Mapping[str, Tensor]] = {"model": students.load_tensors()}
    if history := students.load_history():
        tensors["history"] = history
    return Members(students.set, tensors, students.load_tested(), students.described, students.meta.seconds)


def joined(stored: Members, more: Members) -> Members:
    """Return students of one set and those of further seeds as one; raises ValueError if they do not fit."""
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
    """Join tensors `(draws, seeds, ...)` along their seeds; the epochs of learning curves are those of all.

    Trees have as many nodes as the largest, the others filled up with zeros.
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
