"""Stored artefacts with their records, and how their tensors are read.

Commands that read no tensors use this module too, so torch is imported only where tensors are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from kdcli.data import DATASETS, SPLITS, Dataset, Description, Pool, Split
from kdcli.errors import Command, KdError
from kdcli.models import Model
from kdcli.runs.recipe import Recipe
from kdcli.runs.records import DataRecord, Record, TeacherRecord, folder_of
from kdcli.runs.student_sets import StudentSet
from kdcli.runs.tensors import check_history, check_logits, check_transfer, pool_of
from kdcli.runs.transfer_record import TransferRecord
from kdcli.store import Artefact, Meta, Run
from kdcli.words import counted

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import Stack

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Opened(Protocol):
    """The opened run of an artefact: the part of `Experiment` that artefacts use."""

    @property
    def run(self) -> Run:
        """The run."""

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""

    @property
    def data(self) -> Data:
        """The run's data."""

    def command(self, name: str) -> Command:
        """Return the command that makes an artefact again."""

    def stale(self, name: str) -> bool:
        """Whether something an artefact was made from has been replaced since."""

    def reading(self, name: str, file: str) -> AbstractContextManager[None]:
        """Add the command that makes an artefact again to errors that a file of it is damaged."""


@dataclass(frozen=True, eq=False)
class Stored(Generic[R]):
    """An artefact of a run, with its record."""

    experiment: Opened
    artefact: Artefact
    meta: Meta
    record: R

    @property
    def name(self) -> str:
        """The artefact's name, such as "teacher" or "students/soft-T4-mlp4"."""
        return self.artefact.name

    @property
    def folder(self) -> str:
        """The name of its folder, such as "soft-T4-mlp4"."""
        return folder_of(self.name)

    @property
    def command(self) -> Command:
        """The command that makes the same artefact again."""
        return self.experiment.command(self.name)

    @property
    def stale(self) -> bool:
        """Whether something it was made from has been replaced since, or is itself stale."""
        return self.experiment.stale(self.name)

    def _load(self, file: str, check: Callable[[Mapping[str, Tensor]], T]) -> tuple[dict[str, Tensor], T]:
        """Read tensors, and the result of `check` on them, which raises ValueError if they are invalid."""
        with self.experiment.reading(self.name, file=f"{file}.safetensors"):
            tensors = self.artefact.load(file, self.meta)
            return tensors, check(tensors)


class Data(Stored[DataRecord]):
    """A run's data: their description, and the splits of each draw."""

    @cached_property
    def description(self) -> Description:
        """The description of the data."""
        with self.experiment.reading(self.name, file="description.json"):
            return Description.from_record(self.artefact.load_document("description", self.meta))

    @cached_property
    def pool(self) -> Pool:
        """The examples, and which of them each draw has in train, val and test."""
        return self._load("tensors", lambda tensors: pool_of(tensors, self.description))[1]

    @cached_property
    def splits(self) -> Mapping[str, Split]:
        """The examples of train, val and test in draw 0, the draw that is shown where only one is."""
        return {name: self.pool.split(name) for name in SPLITS}

    @property
    def draws(self) -> int:
        """Number of draws."""
        return self.description.draws

    @property
    def seed(self) -> int:
        """The seed of the samples and splits."""
        seed: int = self.record.config.seed
        return seed

    @property
    def dataset(self) -> Dataset[Any]:
        """The dataset that the data come from."""
        return DATASETS[self.record.dataset]

    @property
    def is_own(self) -> bool:
        """Whether they are a user's own, rather than sampled or published."""
        return self.dataset.opened is not None or self.description.own_files

    @property
    def heading(self) -> str:
        """The run's name for headings, with the name of its data if they are not a dataset of kd."""
        run = self.artefact.run.name
        return f"{run} ({self.description.name})" if self.description.own_files else run

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.description.n_classes

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.description.shape

    @property
    def point_names(self) -> tuple[str, ...]:
        """The names of the features of points, numbered if they have no names."""
        names = self.description.feature_names
        return names or tuple(f"x{k + 1}" for k in range(self.features[0]))

    @property
    def posterior(self) -> Callable[[Tensor], Tensor] | None:
        """P(y|x) `(n, n_classes)` of x `(n, *features)`; None if it is unknown."""
        exact, config = self.dataset.posterior, self.record.config
        return (lambda x: exact(config, x)) if exact is not None else None


class Trained(Stored[R], ABC):
    """Models that were trained: a teacher, or the students of a set."""

    @property
    @abstractmethod
    def model(self) -> Model:
        """The family and shape of the models."""

    @cached_property
    def metrics(self) -> Mapping[str, Sequence[Sequence[float]]]:
        """Scores on the test split, a value for each draw and seed."""
        with self.experiment.reading(self.name, file="meta.json"):
            draws = self.experiment.data.draws
            if any(len(values) != draws for values in self.meta.metrics.values()):
                raise ValueError(f"it is not scored on each of {counted(draws, 'draw')}")
        return self.meta.metrics

    @property
    def seeds(self) -> int:
        """Number of models of each draw."""
        return self.record.scored

    @property
    def described(self) -> dict[str, list[list[float]]]:
        """The numbers that describe each model, such as its leaves, by draw and seed."""
        return {name: list(map(list, self.metrics[name])) for name in self.model.described}

    @property
    def is_kept(self) -> bool:
        """Whether the models themselves are stored, not only their predictions."""
        return "model.safetensors" in self.meta.files

    @property
    def _shape(self) -> tuple[int, int]:
        return (self.experiment.data.draws, self.seeds)

    def load_tensors(self) -> dict[str, Tensor]:
        """Read the state of the models, `(draws, seeds, ...)` each tensor, which `load_model` builds from."""
        return self._load("model", self._build)[0]

    def load_model(self) -> Stack:
        """Build the models as they were stored, a member of the stack for each: those of draw 0 first.

        Raises `KdError` if only their predictions are stored.
        """
        if not self.is_kept:
            raise KdError(f"{self.model} is not stored, only its predictions for the examples of the run")
        return self._load("model", self._build)[1]

    def member(self, stack: Stack, seed: int, draw: int = 0) -> Stack:
        """Return a single model of the stack, by the indices of its seed and draw."""
        data, tensors = self.experiment.data, stack.parameters_of([draw * self.seeds + seed])
        return self.model.restore(tensors, data.features, data.n_classes, 1)

    def _build(self, tensors: Mapping[str, Tensor]) -> Stack:
        data, shape = self.experiment.data, self._shape
        for name, tensor in tensors.items():
            if tuple(tensor.shape[:2]) != shape:
                models, draws = counted(shape[1], "model"), counted(shape[0], "draw")
                raise ValueError(f"{name} does not have {models} in each of {draws}")
        flat = {name: tensor.flatten(0, 1) for name, tensor in tensors.items()}
        return self.model.restore(flat, data.features, data.n_classes, shape[0] * shape[1])

    @abstractmethod
    def load_tested(self) -> Tensor:
        """Read the logits of every model on the test split, `(draws, seeds, n, n_classes)`."""

    def load_history(self) -> dict[str, Tensor] | None:
        """Read the learning curves `(draws, seeds, points)`; None if the models have none."""
        if "history.safetensors" not in self.meta.files:
            return None
        return self._load("history", lambda tensors: check_history(tensors, self._shape))[0]


class TrainedTeacher(Trained[TeacherRecord]):
    """A run's teacher: one model for each draw."""

    @property
    def model(self) -> Model:
        """The teacher's family and shape."""
        return self.record.model

    @cached_property
    def logits(self) -> Mapping[str, Tensor]:
        """The logits on each split, `(draws, n, n_classes)`."""
        description = self.experiment.data.description
        shapes = {
            name: (description.draws, size, description.n_classes) for name, size in description.sizes.items()
        }
        return self._load("logits", lambda tensors: check_logits(tensors, shapes))[0]

    def load_tested(self) -> Tensor:
        """Read the logits on the test split, `(draws, 1, n, n_classes)`."""
        return self.logits["test"].unsqueeze(1)


class TransferExamples(Stored[TransferRecord]):
    """Transfer examples from outside the run's data, with the teacher's logits."""

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        """The examples `x (rows, *features)`, each draw's indices `index (draws, n)`, and their `logits`."""
        data = self.experiment.data

        def check(tensors: Mapping[str, Tensor]) -> None:
            check_transfer(tensors, data.features, data.pool.x.dtype, data.draws, data.n_classes)

        return self._load("tensors", check)[0]


class TrainedStudents(Trained[StudentSet]):
    """The students of one set."""

    @property
    def set(self) -> StudentSet:
        """The settings of the set."""
        return self.record

    @property
    def model(self) -> Model:
        """The students' family and shape."""
        return self.record.model

    @property
    def title(self) -> str:
        """The set's name for a person."""
        return self.record.title(self.folder)

    def load_tested(self) -> Tensor:
        """Read the logits of every seed on the test split, `(draws, seeds, n, n_classes)`."""
        description = self.experiment.data.description
        shape = {"test": (*self._shape, description.sizes["test"], description.n_classes)}
        return self._load("predictions", lambda tensors: check_logits(tensors, shape))[0]["test"]
