"""What the students of a run are taught: examples, labels and targets, from its data and its teacher."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from kdcli.data.dataset import stratified_split
from kdcli.rng import generator
from kdcli.runs.experiment import Data, TrainedTeacher
from kdcli.runs.student_sets import StudentSet
from kdcli.targets import Knowledge, one_hot


@dataclass(frozen=True)
class Lessons:
    """What the students of a run learn from: its data, and its teacher if a target needs one."""

    data: Data
    teacher: TrainedTeacher | None
    transfer_size: int

    @cached_property
    def transfer(self) -> Tensor | None:
        """The training examples that students are taught on, as indices; None for all.

        A stratified choice that depends on the data's seed alone: all students of a run share it.
        """
        if not self.transfer_size:
            return None
        y, random = self.data.splits["train"].y, generator("transfer", self.data.draw.seed)
        return stratified_split(y, self.transfer_size, random)[1].sort().values

    def x(self, split: str) -> Tensor:
        """Return the examples of a split, `(n, *features)`; of training those that students are taught on."""
        return self._taught(self.data.splits[split].x, split)

    def labels(self, split: str) -> Tensor:
        """Return their labels, one-hot, `(n, n_classes)`."""
        return self._taught(one_hot(self.data.splits[split].y, self.data.n_classes), split)

    def _taught(self, rows: Tensor, split: str) -> Tensor:
        return rows if split != "train" or self.transfer is None else rows[self.transfer]

    @cached_property
    def logits(self) -> Mapping[str, Tensor]:
        """The teacher's logits on each split."""
        return self.teacher.logits if self.teacher else {}

    def target(self, student_set: StudentSet, split: str) -> Tensor:
        """Return what a set is taught on a split, `(n, n_classes)`."""
        _, y, posterior = self.data.splits[split]
        known = Knowledge(
            y,
            self.data.n_classes,
            posterior,
            self.logits.get(split),
            smoothing=student_set.settings.smoothing,
            chance=self.chance[split],
        )
        return self._taught(student_set.taught.build(known, student_set.temperature), split)

    @cached_property
    def chance(self) -> Mapping[str, Tensor]:
        """Uniform draws `(n, n_classes)` on each split, which decide what a target leaves to chance.

        They depend on the data's seed alone: all students of a run share them.
        """
        return {
            name: torch.rand(
                len(split.y),
                self.data.n_classes,
                generator=generator(f"targets/{name}", self.data.draw.seed),
            )
            for name, split in self.data.splits.items()
        }
