"""What the students of a run are taught: examples, labels and targets, from its data and its teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from kdcli.data.draw import Draw
from kdcli.data.stratified import stratified_split
from kdcli.models.family import Lesson, Sizes, Teaching
from kdcli.rng import generator
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import Data, TrainedTeacher
from kdcli.runs.student_sets import StudentSet
from kdcli.targets import Knowledge, balanced_weights, one_hot


@dataclass(frozen=True)
class Material:
    """What the students of a run learn from: its data, and its teacher if a target needs one."""

    experiment: Experiment
    teacher: TrainedTeacher | None
    transfer_size: int
    class_weight: str = "none"

    @cached_property
    def data(self) -> Data:
        """The run's data."""
        return self.experiment.data

    @cached_property
    def transfer(self) -> Tensor | None:
        """Which training examples students are taught on, `(draws, n)` places in the split; None for all.

        A stratified choice that depends on the draw of the data alone: all students of a draw share it.
        """
        if not self.transfer_size:
            return None
        return torch.stack([self._transfer(draw) for draw in self.experiment.draws])

    def _transfer(self, draw: Draw) -> Tensor:
        y = self.data.pool.labels("train", draw.number)
        random = generator("transfer", draw.data, draw.number)
        return stratified_split(y, self.transfer_size, random)[1].sort().values

    def index(self, split: str) -> Tensor:
        """Return the examples of a split, `(draws, n)`; of training those that students are taught on."""
        index = self.data.pool.index[split]
        return index if split != "train" or self.transfer is None else index.gather(1, self.transfer)

    def target(self, student_set: StudentSet, split: str) -> Tensor:
        """Return what a set is taught on a split, `(draws, n, n_classes)`."""
        targets = [
            student_set.taught.build(self._knowledge(student_set, split, draw), student_set.temperature)
            for draw in self.experiment.draws
        ]
        if split == "train" and self.transfer is not None:
            targets = [rows[taught] for rows, taught in zip(targets, self.transfer, strict=True)]
        return torch.stack(targets)

    def _knowledge(self, student_set: StudentSet, split: str, draw: Draw) -> Knowledge:
        """Return what a draw's targets of a split are made from."""
        _, y, posterior = self.data.pool.split(split, draw.number)
        return Knowledge(
            y,
            self.data.n_classes,
            posterior,
            self.teacher.logits[split][draw.number] if self.teacher else None,
            smoothing=student_set.settings.smoothing,
            chance=self.chance[split][draw.number],
        )

    @cached_property
    def chance(self) -> Mapping[str, Sequence[Tensor]]:
        """Uniform numbers `(n, n_classes)` on each split and draw, by which targets leave things to chance.

        They depend on the draw of the data alone: all students of a draw share them.
        """
        return {
            split: [
                torch.rand(
                    index.shape[1],
                    self.data.n_classes,
                    generator=generator(f"targets/{split}", draw.data, draw.number),
                )
                for draw in self.experiment.draws
            ]
            for split, index in self.data.pool.index.items()
        }

    def teaching(
        self, sets: Sequence[StudentSet], seeds: Sequence[int], predicted: Sequence[str] = ("test",)
    ) -> Teaching:
        """Return what the students of these sets and seeds are taught, to be `predicted` on these splits."""
        splits = ("train", "val")
        index = {split: self.index(split) for split in self.data.pool.index}
        return Teaching(
            x=self.data.pool.x,
            index=index,
            labels={split: one_hot(self.data.pool.y[index[split]], self.data.n_classes) for split in splits},
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
            predicted=predicted,
            standardise=self.data.description.standardise,
            weights=_weights(self.data, index, self.class_weight),
        )

    def sizes(self, sets: int, seeds: int, predicted: Sequence[str] = ("test",)) -> Sizes:
        """Return the sizes of a training on this material."""
        sizes = self.data.description.sizes
        return Sizes(
            features=tuple(self.data.features),
            n_classes=self.data.n_classes,
            train=self.transfer_size or sizes["train"],
            val=sizes["val"],
            predicted=sum(sizes[split] for split in predicted),
            sets=sets,
            seeds=seeds,
            draws=self.data.draws,
        )


def _weights(data: Data, index: Mapping[str, Tensor], class_weight: str) -> dict[str, Tensor] | None:
    """Return the weights of the examples that `index (draws, n)` names in each split, as a setting says."""
    if class_weight == "none":
        return None
    y = {split: data.pool.y[index[split]] for split in ("train", "val")}
    return {split: balanced_weights(labels, y["train"], data.n_classes) for split, labels in y.items()}


def teacher_teaching(data: Data, seed: int, class_weight: str) -> Teaching:
    """Return what the teachers of all draws are taught, with this seed: the labels of their data."""
    pool = data.pool
    labels = {split: one_hot(pool.y[pool.index[split]], data.n_classes) for split in ("train", "val")}
    return Teaching(
        x=pool.x,
        index=pool.index,
        labels=labels,
        lessons=[Lesson(targets=labels)],
        seeds=[seed],
        role="teacher",
        predicted=list(pool.index),
        replicates=False,
        standardise=data.description.standardise,
        weights=_weights(data, pool.index, class_weight),
    )


def teacher_sizes(data: Data, folds: int = 1) -> Sizes:
    """Return the sizes of the training of teachers, whose logits are kept of all splits.

    With `folds` there are as many more at once, those who label what they have not seen.
    """
    sizes = data.description.sizes
    return Sizes(
        features=tuple(data.features),
        n_classes=data.n_classes,
        train=sizes["train"],
        val=sizes["val"],
        predicted=sum(sizes.values()),
        sets=1,
        seeds=1,
        draws=data.draws,
    )
