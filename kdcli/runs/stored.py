"""Artefacts that are there, with what their records say and how their tensors are read.

Commands that read no tensors use it too, so torch is imported where tensors are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from kdcli.data import DATASETS, Dataset, Description, Split
from kdcli.errors import Command
from kdcli.metrics import measure_one
from kdcli.models import Model
from kdcli.runs.recipe import Recipe
from kdcli.runs.records import DataRecord, Record, TeacherRecord, folder_of
from kdcli.runs.student_sets import StudentSet
from kdcli.runs.tensors import check_history, check_logits, splits_of
from kdcli.store import Artefact, Meta, Run

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import Stack

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Opened(Protocol):
    """The run that an artefact is of, opened: what it asks of the `Experiment`."""

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
        """Whether something an artefact was made from was since replaced."""

    def reading(self, name: str, file: str) -> AbstractContextManager[None]:
        """Name the command that makes an artefact again where a file of it makes no sense."""


@dataclass(frozen=True, eq=False)
class Stored(Generic[R]):
    """An artefact of a run with what its record says."""

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
        """The command that makes the same again."""
        return self.experiment.command(self.name)

    @property
    def stale(self) -> bool:
        """Whether something it was made from was since replaced, or is itself stale."""
        return self.experiment.stale(self.name)

    def _load(self, file: str, check: Callable[[Mapping[str, Tensor]], T]) -> tuple[dict[str, Tensor], T]:
        """Read tensors and what `check` makes of them, which raises ValueError if they make no sense."""
        with self.experiment.reading(self.name, file=f"{file}.safetensors"):
            tensors = self.artefact.load(file, self.meta)
            return tensors, check(tensors)


class Data(Stored[DataRecord]):
    """A run's data: what they are, and their splits."""

    @cached_property
    def description(self) -> Description:
        """What the data are."""
        with self.experiment.reading(self.name, file="description.json"):
            return Description.from_record(self.artefact.load_document("description", self.meta))

    @cached_property
    def splits(self) -> Mapping[str, Split]:
        """The examples of train, val and test."""
        return self._load("tensors", lambda tensors: splits_of(tensors, self.description))[1]

    @property
    def seed(self) -> int:
        """The seed of the sample and its split."""
        seed: int = self.record.config.seed
        return seed

    @property
    def dataset(self) -> Dataset[Any]:
        """The dataset that they come from."""
        return DATASETS[self.record.dataset]

    @property
    def heading(self) -> str:
        """What a heading calls the run: its name, and what its data are if they are no dataset of kd."""
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
    def posterior(self) -> Callable[[Tensor], Tensor] | None:
        """P(y|x) `(n, n_classes)` of x `(n, *features)`; None where it is not known."""
        exact, config = self.dataset.posterior, self.record.config
        return (lambda x: exact(config, x)) if exact is not None else None

    def bayes_scores(self) -> dict[str, float] | None:
        """Score the exact posterior on the test split: no model can expect to beat it. None if unknown."""
        test = self.splits["test"]
        return None if test.posterior is None else measure_one(test.posterior.log(), test.y)


class Trained(Stored[R], ABC):
    """Models that were trained: a teacher, or the students of a set."""

    @property
    @abstractmethod
    def model(self) -> Model:
        """The family and shape of the models."""

    @property
    def metrics(self) -> Mapping[str, Sequence[float]]:
        """Scores on the test split, a value for each model."""
        return self.meta.metrics

    @property
    def members(self) -> int:
        """Number of models."""
        return self.record.scored

    @property
    def described(self) -> dict[str, list[float]]:
        """The numbers that describe each model, such as its leaves."""
        return {name: list(self.metrics[name]) for name in self.model.DESCRIBED}

    def load_model(self) -> Stack:
        """Build the models as they were stored, a member of the stack for each."""
        data = self.experiment.data

        def build(tensors: Mapping[str, Tensor]) -> Stack:
            return self.model.restore(tensors, data.features, data.n_classes, self.members)

        return self._load("model", build)[1]

    @abstractmethod
    def load_tested(self) -> Tensor:
        """Read the logits of every model on the test split, `(members, n, n_classes)`."""

    def load_history(self) -> dict[str, Tensor] | None:
        """Read the learning curves (see `training.History`); None of models that have none."""
        if "history.safetensors" not in self.meta.files:
            return None
        return self._load("history", lambda tensors: check_history(tensors, self.members))[0]


class TrainedTeacher(Trained[TeacherRecord]):
    """A run's teacher."""

    @property
    def model(self) -> Model:
        """The teacher's family and shape."""
        return self.record.model

    @cached_property
    def logits(self) -> Mapping[str, Tensor]:
        """The logits on each split, `(n, n_classes)`."""
        description = self.experiment.data.description
        shapes = {name: (size, description.n_classes) for name, size in description.sizes.items()}
        return self._load("logits", lambda tensors: check_logits(tensors, shapes))[0]

    def load_tested(self) -> Tensor:
        """Read the logits on the test split, `(1, n, n_classes)`."""
        return self.logits["test"].unsqueeze(0)


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
        """Read the logits of every seed on the test split, `(seeds, n, n_classes)`."""
        description = self.experiment.data.description
        shape = {"test": (self.members, description.sizes["test"], description.n_classes)}
        return self._load("predictions", lambda tensors: check_logits(tensors, shape))[0]["test"]
