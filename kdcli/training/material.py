"""What the students of a run are taught: examples, labels and targets, from its data and its teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from kdcli.data.dataset import stratified_split
from kdcli.data.draw import Draw
from kdcli.models.family import Lesson, Sizes, Teaching
from kdcli.rng import generator
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import Data, TrainedTeacher
from kdcli.runs.student_sets import StudentSet
from kdcli.targets import Knowledge, one_hot


@dataclass(frozen=True)
class Material:
    """What the students of a run learn from: its data, and its teacher if a target needs one."""

    experiment: Experiment
    teacher: TrainedTeacher | None
    transfer_size: int

    @cached_property
    def data(self) -> Data:
        """The run's data."""
        return self.experiment.data

    @cached_property
    def transfer(self) -> Tensor | None:
        """The training examples that students are taught on, as indices; None for all.

        A stratified choice that depends on the data's seed alone: all students of a run share it.
        """
        if not self.transfer_size:
            return None
        y, random = self.data.splits["train"].y, generator("transfer", self.experiment.draw.data)
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
                generator=generator(f"targets/{name}", self.experiment.draw.data),
            )
            for name, split in self.data.splits.items()
        }

    def teaching(self, sets: Sequence[StudentSet], seeds: Sequence[int]) -> Teaching:
        """Return what the students of these sets and seeds are taught."""
        splits = ("train", "val")
        return Teaching(
            x={split: self.x(split) for split in (*splits, "test")},
            labels={split: self.labels(split) for split in splits},
            lessons=[
                Lesson(
                    targets={split: self.target(student_set, split) for split in splits},
                    temperature=student_set.temperature,
                    label_weight=student_set.settings.label_weight,
                )
                for student_set in sets
            ],
            seeds=seeds,
            role="student",
            predicted=["test"],
        )

    def sizes(self, sets: int, seeds: int) -> Sizes:
        """Return the sizes of a training on this material."""
        splits = self.data.splits
        return Sizes(
            features=tuple(self.data.features),
            n_classes=self.data.n_classes,
            train=self.transfer_size or len(splits["train"].y),
            val=len(splits["val"].y),
            predicted=len(splits["test"].y),
            sets=sets,
            seeds=seeds,
        )


def teacher_teaching(data: Data, draw: Draw) -> Teaching:
    """Return what the teacher of a draw is taught: the labels of its data."""
    labels = {split: one_hot(data.splits[split].y, data.n_classes) for split in ("train", "val")}
    return Teaching(
        x={name: split.x for name, split in data.splits.items()},
        labels=labels,
        lessons=[Lesson(targets=labels)],
        seeds=[draw.teacher],
        role="teacher",
        predicted=list(data.splits),
    )


def teacher_sizes(data: Data) -> Sizes:
    """Return the sizes of a teacher's training, whose logits are kept of all splits."""
    sizes = {name: len(split.y) for name, split in data.splits.items()}
    features = tuple(data.features)
    total = sum(sizes.values())
    return Sizes(features, data.n_classes, sizes["train"], sizes["val"], predicted=total, sets=1, seeds=1)
