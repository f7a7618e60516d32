"""The material that a run's students are taught: examples, labels and targets, from data and teacher."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor

from kdcli.data.draw import Draw
from kdcli.data.stratified import stratified_split
from kdcli.models.family import Lesson, Sizes, Teaching
from kdcli.rng import generator
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import BY_TARGET, BY_TEACHER, ORIGINAL
from kdcli.runs.stored import Data, TrainedTeacher, TransferExamples
from kdcli.runs.student_sets import StudentSet
from kdcli.runs.transfer import Transfer
from kdcli.targets import Knowledge, balanced_weights, one_hot
from kdcli.training.further import Further, copies_of, further_examples

OtherTeachers: TypeAlias = Mapping[str, Mapping[str, Tensor]]
"""Logits `(draws, seeds, n, n_classes)` of teachers other than the run's, by the `needs` of targets, and by
the split or the kind of further examples."""


@dataclass(frozen=True)
class Seed:
    """A seed of a target that differs by seed; `logits (draws, n, n_classes)` are its own teacher's."""

    number: int
    logits: Mapping[str, Tensor]

    def knowing(self, known: Knowledge, part: str, draw: Draw) -> Knowledge:
        """Return the knowledge that this seed's targets are made from, on a part of a draw's examples."""
        if self.logits:
            return replace(known, teacher_logits=self.logits[part][draw.number])
        random = generator(f"targets/{part}/seed {self.number}", draw.data, draw.number)
        return replace(known, chance=torch.rand(len(known.y), known.n_classes, generator=random))


@dataclass(frozen=True)
class Material:
    """The material of a run's students: its data, its teacher if one is needed, and a transfer set.

    `labels_from` is the source of the training examples' labels: as the target says, all from the teacher, or
    all original. `stored` are the examples of the transfer set from outside the run's data.
    """

    experiment: Experiment
    teacher: TrainedTeacher | None
    transfer: Transfer = field(default_factory=Transfer)
    class_weight: str = "none"
    labels_from: str = BY_TARGET
    stored: Sequence[TransferExamples] = ()

    @cached_property
    def data(self) -> Data:
        """The run's data."""
        return self.experiment.data

    @cached_property
    def taught(self) -> Tensor:
        """The training examples that students are taught on, `(draws, n)` indices into the split.

        The choice is stratified and depends only on the draw of the data, so all students of a draw share it.
        """
        n_train = self.data.pool.index["train"].shape[1]
        if not self.transfer.size:
            return torch.arange(n_train).expand(self.data.draws, -1)
        return torch.stack([self._taught(draw) for draw in self.experiment.draws])

    def _taught(self, draw: Draw) -> Tensor:
        y = self.data.pool.labels("train", draw.number)
        random = generator("transfer", draw.data, draw.number)
        return stratified_split(y, self.transfer.size, random)[1].sort().values

    @cached_property
    def rows(self) -> Tensor:
        """The training examples that students are taught on, `(draws, n)`."""
        return self.data.pool.index["train"].gather(1, self.taught)

    @cached_property
    def further(self) -> list[Further]:
        """The examples that only the teacher labels."""
        return further_examples(self.transfer, self.data, self.taught, self.teacher, self.stored)

    @cached_property
    def x(self) -> Tensor:
        """All examples: the run's data, then the stored examples of the transfer set."""
        x = self.data.pool.x
        return torch.cat([x, *(examples.tensors["x"] for examples in self.stored)]) if self.stored else x

    @cached_property
    def index(self) -> Mapping[str, Tensor]:
        """The examples of each split, `(draws, n)`; for training, those of the transfer set."""
        train = [self._with_copies(self.rows), *(further.index for further in self.further)]
        return {**self.data.pool.index, "train": torch.cat(train, 1)}

    def _with_copies(self, rows: Tensor) -> Tensor:
        """Repeat values of the training examples, `(draws, n, ...)`, once for each copy of the examples."""
        copies = copies_of(self.transfer)
        return torch.cat([rows] * (1 + copies), 1) if copies else rows

    def labels(self, split: str) -> Tensor:
        """Return the classes of a split, `(draws, n)`, predicted by the teacher where there is no label."""
        if split != "train":
            return self.data.pool.y[self.data.pool.index[split]]
        own = self.data.pool.y[self.rows]
        if self.labels_from == BY_TEACHER and self.teacher is not None:
            own = self.teacher.logits["train"].argmax(2).gather(1, self.taught)
        own = self._with_copies(own)
        return torch.cat([own, *(further.y for further in self.further)], 1)

    def targets(
        self, student_set: StudentSet, seeds: Sequence[int], others: OtherTeachers
    ) -> dict[str, Tensor]:
        """Return the targets of a set on training and validation examples.

        They are `(draws, n, n_classes)`, or `(draws, seeds, n, n_classes)` if each seed has its own.
        """
        if not student_set.taught.by_seed:
            return {split: self.target(student_set, split) for split in ("train", "val")}
        other = others.get(student_set.taught.needs)
        return {
            split: torch.stack(
                [
                    self.target(student_set, split, Seed(seed, _of_seed(other, place)))
                    for place, seed in enumerate(seeds)
                ],
                1,
            )
            for split in ("train", "val")
        }

    def target(self, student_set: StudentSet, split: str, seed: Seed | None = None) -> Tensor:
        """Return the target of a set, or of one of its seeds, on a split, `(draws, n, n_classes)`."""

        def built(known: Callable[[Draw], Knowledge], part: str) -> Tensor:
            each = []
            for draw in self.experiment.draws:
                knowledge = replace(known(draw), smoothing=student_set.smoothing)
                if seed:
                    knowledge = seed.knowing(knowledge, part, draw)
                each.append(student_set.taught.build(knowledge, student_set.temperature))
            return torch.stack(each)

        own = built(partial(self._knowledge, split), split)
        if split != "train":
            return own
        if self.transfer.size:
            own = own.gather(1, self.taught.unsqueeze(2).expand(-1, -1, own.shape[2]))
        further = [built(partial(self._known, further), further.name) for further in self.further]
        return torch.cat([self._with_copies(own), *further], 1)

    def _known(self, further: Further, draw: Draw) -> Knowledge:
        """Return the knowledge that the targets of a draw's further examples are made from."""
        number, x = draw.number, self.x[further.index[draw.number]]
        posterior = self.data.posterior(x) if self.data.posterior else None
        return Knowledge(further.y[number], self.data.n_classes, posterior, further.logits[number])

    def _knowledge(self, split: str, draw: Draw) -> Knowledge:
        """Return the knowledge that a draw's targets on a split are made from."""
        _, y, posterior = self.data.pool.split(split, draw.number)
        logits = self.teacher.logits[split][draw.number] if self.teacher else None
        if split == "train" and self.labels_from == ORIGINAL:
            logits = one_hot(y, self.data.n_classes).log()
        elif split == "train" and self.labels_from == BY_TEACHER and logits is not None:
            y = logits.argmax(1)
        return Knowledge(y, self.data.n_classes, posterior, logits)

    def teaching(
        self,
        sets: Sequence[StudentSet],
        seeds: Sequence[int],
        predicted: Sequence[str] = ("test",),
        others: OtherTeachers = MappingProxyType({}),
    ) -> Teaching:
        """Return the teaching of the students of these sets and seeds, to be `predicted` on these splits.

        `others` has the logits of the teachers other than the run's that some targets need.
        """
        splits = ("train", "val")
        y = {split: self.labels(split) for split in splits}
        return Teaching(
            x=self.x,
            index=self.index,
            labels={split: one_hot(classes, self.data.n_classes) for split, classes in y.items()},
            lessons=[
                Lesson(
                    targets=self.targets(student_set, seeds, others),
                    temperature=student_set.temperature,
                    label_weight=student_set.settings.label_weight,
                )
                for student_set in sets
            ],
            seeds=seeds,
            role="student",
            predicted=predicted,
            standardise=self.data.description.standardise,
            weights=_weights(y, self.data.n_classes, self.class_weight),
        )

    def other_teaching(self, seeds: Sequence[int], role: str) -> Teaching:
        """Return the teaching of further teachers, one for each seed: the labels; they label all examples."""
        further = {further.name: further.index for further in self.further}
        return replace(
            teacher_teaching(self.data, 0, self.class_weight),
            x=self.x,
            index={**self.data.pool.index, **further},
            seeds=seeds,
            role=role,
            predicted=["train", "val", *further],
            replicates=True,
        )

    def sizes(self, sets: Sequence[StudentSet], seeds: int, predicted: Sequence[str] = ("test",)) -> Sizes:
        """Return the sizes of a training of these sets on this material."""
        sizes = self.data.description.sizes
        return Sizes(
            features=tuple(self.data.features),
            n_classes=self.data.n_classes,
            train=self.index["train"].shape[1],
            val=sizes["val"],
            predicted=sum(sizes[split] for split in predicted),
            sets=len(sets),
            seeds=seeds,
            draws=self.data.draws,
            by_seed=any(student_set.taught.by_seed for student_set in sets),
        )


def _of_seed(other: Mapping[str, Tensor] | None, place: int) -> dict[str, Tensor]:
    """Return the logits `(draws, n, n_classes)` of the seed's teacher on all parts; `place` is its index."""
    return {part: logits[:, place] for part, logits in other.items()} if other else {}


def _weights(y: Mapping[str, Tensor], n_classes: int, class_weight: str) -> dict[str, Tensor] | None:
    """Return the weights of the examples of each split, given their classes `(draws, n)` and the setting."""
    if class_weight == "none":
        return None
    return {split: balanced_weights(labels, y["train"], n_classes) for split, labels in y.items()}


def teacher_teaching(data: Data, seed: int, class_weight: str) -> Teaching:
    """Return the teaching of the teachers of all draws, with this seed: the labels of their data."""
    pool = data.pool
    y = {split: pool.y[pool.index[split]] for split in ("train", "val")}
    labels = {split: one_hot(classes, data.n_classes) for split, classes in y.items()}
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
        weights=_weights(y, data.n_classes, class_weight),
    )


def teacher_sizes(data: Data, folds: int = 1) -> Sizes:
    """Return the sizes of the training of teachers, whose logits are kept for all splits.

    With `folds`, this number of teachers of each draw is trained at once, for out-of-fold labels.
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
        draws=data.draws * folds,
    )
