"""A run, opened once: its recipe, its records and its tensors, each read a single time and handed on.

Commands that read no tensors use it too, so torch is imported where tensors are.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kdcli.data import DATASETS, Dataset, Description, Split
from kdcli.errors import Command, KdError, UsageError, joined, unknown
from kdcli.metrics import measure_one
from kdcli.models import Model, parse_model
from kdcli.runs.kinds import DATA, STUDENTS, TEACHER, folder_of, kind_of, parse
from kdcli.runs.recipe import Recipe, RecipeError, decode
from kdcli.runs.recipe import parse as parse_recipe
from kdcli.runs.records import DataRecord, Record, TeacherRecord
from kdcli.runs.student_sets import StudentSet, position, set_named
from kdcli.runs.tensors import check_history, check_logits, splits_of
from kdcli.store import (
    Artefact,
    DamagedError,
    Meta,
    NewerError,
    OlderError,
    Run,
    in_the_way,
    is_newer,
    to_json,
)

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import Stack

R = TypeVar("R", bound=Record)
T = TypeVar("T")


@dataclass(frozen=True)
class Draw:
    """One sample or split of the data, by its seed; teacher and students of the draw are made on it."""

    seed: int


@dataclass(frozen=True, eq=False)
class Stored(Generic[R]):
    """An artefact of a run with what its record says."""

    experiment: Experiment
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
    def draw(self) -> Draw:
        """Which sample or split they are."""
        return Draw(self.record.config.seed)

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


class Trained(Stored[R]):
    """Models that were trained: a teacher, or the students of a set."""

    @property
    def model(self) -> Model:
        """The family and shape of the models."""
        raise NotImplementedError

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

    def load_tested(self) -> Tensor:
        """Read the logits of every model on the test split, `(members, n, n_classes)`."""
        raise NotImplementedError

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


STORED: Mapping[str, type[Stored[Any]]] = {DATA: Data, TEACHER: TrainedTeacher, STUDENTS: TrainedStudents}


class Experiment:
    """A run with its recipe, records and states, each read once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._stored: dict[str, Stored[Any]] = {}

    @classmethod
    def open(cls, run: Run) -> Experiment:
        """Open a run; what it holds is read when it is asked for."""
        return cls(run)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the run keeps; raises `NewerError` for one that only a newer kd can read."""
        source = str(self.run.recipe_path)
        try:
            return parse_recipe(decode(self.run.read_recipe(), source), source)
        except RecipeError as error:
            if newer := self._newer():
                path = self.run.recipe_path
                raise NewerError(path, newer.version, newer.format, error.message) from None
            raise

    def _newer(self) -> NewerError | None:
        """Return the error for an artefact of the run that a newer kd wrote; None if there is none."""
        for artefact in (self.run.artefact(DATA), self.run.artefact(TEACHER), *self.run.artefacts(STUDENTS)):
            try:
                meta = artefact.meta() if artefact.finished else None
            except NewerError as error:
                return error
            except KdError:
                continue
            if meta and is_newer(version := meta.versions.get("kdcli", "")):
                return NewerError(artefact.path, version, meta.format)
        return None

    def command(self, name: str) -> Command:
        """Return the command that makes an artefact again, as it is if it is there and legible."""
        options: dict[str, Any] = {}
        try:
            stored = self._stored.get(name) or self._read(self.run.artefact(name))
            options = stored.record.making(self.recipe, stored.folder) if stored else {}
        except KdError:
            if wanted := self.recipe_set(name):
                options = {**wanted.making(self.recipe, wanted.name), "seeds": None}  # those of the recipe
        return self.run.command(kind_of(name).stage, **options)

    def recipe_set(self, name: str) -> StudentSet | None:
        """Return the set of this artefact's name that the recipe asks for; None without one, or a recipe."""
        try:
            return set_named(self.recipe, folder_of(name))
        except KdError:
            return None

    @property
    def recipe_models(self) -> list[str]:
        """The student models of the recipe, as records spell them; none of a recipe that is illegible."""
        try:
            return [str(parse_model(model)) for model in self.recipe.students.models]
        except KdError:
            return []

    @contextmanager
    def reading(self, name: str, file: str = "meta.json") -> Iterator[None]:
        """Name the command that makes an artefact again where it is damaged, or of an earlier kd."""
        artefact = self.run.artefact(name)
        try:
            yield
        except OlderError as error:
            again = self.run.command(kind_of(name).stage, force=True)
            raise OlderError(artefact.path, error.format, ("make it again with ", again)) from None
        except DamagedError as error:
            path, why = error.path, error.why
        except (ValueError, UsageError) as error:
            path, why = artefact.path / file, str(error)
        else:
            return
        hint = (f"remove {artefact.path} and make it again with ", self.command(name))
        raise DamagedError(path, artefact.path, why, hint)

    def stored(self, name: str) -> Stored[Any] | None:
        """Return an artefact with its record; None if it is not there as a whole.

        Raises `DamagedError`, `NewerError` or `OlderError` for one that cannot be read.
        """
        if name not in self._stored:
            artefact = self.run.artefact(name)
            if blocking := in_the_way(artefact.path / "meta.json"):
                raise KdError(
                    f"{blocking} is not a folder, as it is to be", "move it elsewhere, or remove it"
                )
            if not artefact.finished:
                return None
            with self.reading(name):
                self._stored[name] = self._read(artefact)
        return self._stored[name]

    def _read(self, artefact: Artefact) -> Stored[Any]:
        meta = artefact.meta()
        try:
            record = parse(artefact.name, meta)
        except (ValueError, UsageError) as error:
            version = meta.versions.get("kdcli", "")
            if is_newer(version):
                raise NewerError(artefact.path / "meta.json", version, meta.format, str(error)) from None
            raise artefact.damaged(artefact.path / "meta.json", str(error)) from None
        return STORED[artefact.name.partition("/")[0]](self, artefact, meta, record)

    def stale(self, name: str) -> bool:
        """Whether something an artefact was made from was since replaced, or is itself stale."""
        stored = self.stored(name)
        if stored is None:
            return True
        for parent, digest in stored.meta.parents.items():
            made_from = self.stored(parent)
            if made_from is None or made_from.meta.digest != digest or self.stale(parent):
                return True
        return False

    def fresh(self, name: str) -> Stored[Any]:
        """Return an artefact; raises `KdError` naming the command that makes it fresh if it is not."""
        stored = self.stored(name)
        if stored is None:
            raise KdError(f"run {self.run.name} has no {name} yet", ("make it with ", self.command(name)))
        if stored.stale:
            raise KdError(
                f"{name} of run {self.run.name} is stale: what it was made from was since replaced",
                ("renew it with ", stored.command.adding(force=True)),
            )
        return stored

    @property
    def data(self) -> Data:
        """The run's data; raises `KdError` naming the command that makes them if they are not there."""
        return self.fresh(DATA)  # type: ignore[return-value]

    @property
    def teacher(self) -> TrainedTeacher:
        """The run's teacher; raises `KdError` naming the command that trains it if it is not there."""
        return self.fresh(TEACHER)  # type: ignore[return-value]

    @property
    def has_teacher(self) -> bool:
        """Whether there is a teacher, in whatever state."""
        return self.stored(TEACHER) is not None

    def students(self, models: Sequence[str] = ()) -> list[TrainedStudents]:
        """Read the student sets of these models, or all, in their usual order.

        A folder without tensors is no student set, and passed over. Raises `KdError` for one that lost its
        `meta.json`, and `UsageError` for a model that no set has.
        """
        sets: list[TrainedStudents] = []
        for artefact in self.run.artefacts(STUDENTS):
            if stored := self.stored(artefact.name):
                sets.append(stored)  # type: ignore[arg-type]
            elif artefact.has_tensors:
                raise self._unfinished(artefact)
        own = self.recipe_models
        sets.sort(key=lambda trained: position(trained.set, trained.folder, own))
        wanted = [str(parse_model(model)) for model in models]
        there = dict.fromkeys(str(trained.model) for trained in sets)
        for model in wanted:
            if model not in there:
                train = self.run.command("distill", models=(model,))
                raise unknown("student model", model, there, ((train, " trains it")))
        return [trained for trained in sets if not wanted or str(trained.model) in wanted]

    def _unfinished(self, artefact: Artefact) -> KdError:
        known = self.recipe_set(artefact.name)
        again = (" and make it again with ", self.command(artefact.name)) if known else ""
        return KdError(
            f"{artefact.path} is unfinished: it has tensors, and no meta.json to tell what they are",
            joined(
                f"remove {shlex.quote(str(artefact.path))}",
                again,
                f", or move it out of {artefact.path.parent} to keep it",
            ),
        )

    @property
    def beside(self) -> Command:
        """The command that makes another run with the same data."""
        source = self.data.record.making(self.recipe, DATA)
        return self.run.store.command("gen-data", self.recipe.dataset, **source, run="NAME")

    def reusable(
        self,
        name: str,
        record: Record,
        *,
        force: bool,
        given: Collection[str] | None = None,
    ) -> bool:
        """Whether an artefact was made with this record from what the run holds now, and may be reused.

        `given` are the settings that do not come from the run's recipe, as the others do; with None all do
        not. False means that it may be made; so may one that lost a file. Raises `KdError` if another one
        stands under this name and `force` does not allow to replace it, or if a newer kd wrote it.
        """
        try:
            stored = self.stored(name)
        except OlderError:
            if force:
                return False
            raise
        if stored is None:
            return False
        same = stored.record == record
        if same and not stored.stale:
            return all((stored.artefact.path / file).is_file() for file in stored.meta.files)
        if force:
            return False
        if same:
            what = f"{stored.artefact.path} is stale: what it was made from was since replaced"
            raise KdError(what, "--force replaces it")
        raise self._other(stored, record, given)

    def _other(self, stored: Stored[Any], record: Record, given: Collection[str] | None) -> KdError:
        """Build the error for an artefact that was made with other settings."""
        then, now = to_json(stored.record.to_record()), to_json(record.to_record())
        missing = object()
        changed = [key for key in {**then, **now} if then.get(key, missing) != now.get(key, missing)]
        edited = [key for key in changed if given is not None and key not in given]
        told = "; ".join(
            f"{key} = {json.dumps(then.get(key))}, not {json.dumps(now.get(key))}"
            + (f" as {self.run.recipe_path.name} says" if key in edited else "")
            for key in changed
        )
        keep = joined("--force replaces it; ", self._keeping_both(stored.name, edited))
        return KdError(f"{stored.artefact.path} was made with {told}", keep)

    def _keeping_both(self, name: str, edited: Sequence[str]) -> Any:
        if name == DATA and edited:
            recipe = str(self.run.recipe_path)
            return (self.run.store.command("gen-data", recipe=recipe, run="NAME"), " keeps both")
        if name == DATA:
            return "--run NAME keeps both"
        if name == TEACHER:
            return (self.beside, " starts a run beside this one")
        return "--name NAME, for one target at a time, keeps both"

    def write(
        self,
        name: str,
        record: Record,
        tensors: Mapping[str, Mapping[str, Tensor]],
        metrics: Mapping[str, Any],
        seconds: float,
        *,
        used: Mapping[str, str] | None = None,
        documents: Mapping[str, Any] | None = None,
    ) -> None:
        """Write an artefact in place of one that may be there (see `store.Artefact.write`)."""
        artefact = self.run.artefact(name)
        parents = {parent: self.fresh(parent).meta.digest for parent in record.parents}
        artefact.write(
            kind_of(name).stage,
            record.to_record(),
            parents,
            tensors,
            metrics,
            seconds,
            used=used or {},
            documents=documents or {},
        )
        self._stored.pop(name, None)

    def adopt(self, recipe: str) -> None:
        """Store another recipe, as TOML."""
        self.run.write_recipe(recipe)
        self.__dict__.pop("recipe", None)
