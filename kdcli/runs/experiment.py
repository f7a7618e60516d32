"""An opened run: its recipe, records and tensors, each read only once."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from kdcli.data.draw import Draw
from kdcli.errors import Command, KdError, Text, UsageError, joined, unknown
from kdcli.models import parse_model
from kdcli.runs.kinds import DATA, KINDS, STUDENTS, TEACHER, TRANSFER, artefacts, kind_of, parse
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_reading import RecipeError
from kdcli.runs.recipe_reading import parse as parse_recipe
from kdcli.runs.recipes import decode
from kdcli.runs.records import Record, folder_of
from kdcli.runs.stored import Data, Stored, TrainedStudents, TrainedTeacher
from kdcli.runs.student_sets import StudentSet, set_named
from kdcli.store import (
    Artefact,
    Content,
    DamagedError,
    NewerError,
    OlderError,
    Run,
    in_the_way,
    is_newer,
)
from kdcli.targets import TARGETS


class Experiment:
    """A run with its recipe, records and states, each read once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._stored: dict[str, Stored[Any]] = {}

    @classmethod
    def open(cls, run: Run) -> Experiment:
        """Open a run; its contents are read on demand."""
        return cls(run)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the run; raises `NewerError` if only a newer kd can read it."""
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
        for artefact in artefacts(self.run):
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
        """Return the command that makes an artefact again, with its own settings if they can be read."""
        options: dict[str, Any] = {}
        if user := self._taught_on(name):
            return self.command(user)
        try:
            stored = self._stored.get(name) or self._read(self.run.artefact(name))
            options = stored.record.making(self.recipe, stored.folder) if stored else {}
            if stored and any(kind_of(parent) is KINDS[TRANSFER] for parent in stored.record.parents):
                options["from"] = self.teacher_source  # labels them
        except KdError:
            if wanted := self.recipe_set(name):
                options = {
                    **wanted.making(self.recipe, wanted.name),
                    "seeds": None,
                }  # the recipe's number of seeds
        return self.run.command(kind_of(name).stage, **options)

    def _taught_on(self, name: str) -> str:
        """Return a student set that is taught on these transfer examples, if there is one; else empty."""
        if kind_of(name) is not KINDS[TRANSFER]:
            return ""
        for artefact in self.run.artefacts(STUDENTS):
            with suppress(KdError):
                stored = self.stored(artefact.name)
                if stored and name in stored.record.parents:
                    return stored.name
        return ""

    def remakes(self, name: str) -> bool:
        """Whether a command is known that makes an artefact whose record cannot be read."""
        return not kind_of(name).several or self.recipe_set(name) is not None

    def recipe_set(self, name: str) -> StudentSet | None:
        """Return the recipe's student set with this artefact's name; None if there is no set or recipe."""
        try:
            return set_named(self.recipe, folder_of(name))
        except KdError:
            return None

    @property
    def recipe_models(self) -> list[str]:
        """The student models of the recipe, as records spell them; empty if the recipe cannot be read."""
        try:
            return [str(parse_model(model)) for model in self.recipe.students.models]
        except KdError:
            return []

    @contextmanager
    def reading(self, name: str, file: str = "meta.json") -> Iterator[None]:
        """Add the command that makes an artefact again to errors that it is damaged, or of an earlier kd."""
        artefact = self.run.artefact(name)
        try:
            yield
        except OlderError as error:
            hint: Text = f"remove {shlex.quote(str(artefact.path))}, or move it out of {artefact.path.parent}"
            if self.remakes(name):
                hint = ("make it again with ", self.command(name).adding(force=True))
            raise OlderError(artefact.path, error.format, hint) from None
        except DamagedError as error:
            path, why = error.path, error.why
        except (ValueError, UsageError) as error:
            path, why = artefact.path / file, str(error)
        else:
            return
        raise DamagedError(path, artefact.path, why, self._removal(artefact))

    def _removal(self, artefact: Artefact) -> Text:
        """Advise removing an artefact, with the command that makes it again if one is known."""
        known = artefact.name in self._stored or self.remakes(artefact.name)
        again = (" and make it again with ", self.command(artefact.name)) if known else ""
        return joined(f"remove {shlex.quote(str(artefact.path))}", again)

    def stored(self, name: str, *, force: bool = False) -> Stored[Any] | None:
        """Return an artefact with its record; None if it is missing or unfinished.

        Raises `DamagedError`, `NewerError` or `OlderError` if it cannot be read; with `force`, an artefact of
        an earlier kd counts as missing, since it is to be replaced.
        """
        if name not in self._stored:
            artefact = self.run.artefact(name)
            if blocking := in_the_way(artefact.path / "meta.json"):
                raise KdError(f"{blocking} is not a folder, but must be", "move it elsewhere, or remove it")
            if not artefact.finished:
                return None
            try:
                with self.reading(name):
                    self._stored[name] = self._read(artefact)
            except OlderError:
                if force:
                    return None
                raise
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
        return kind_of(artefact.name).stored(self, artefact, meta, record)

    def stale(self, name: str) -> bool:
        """Whether a parent of an artefact has been replaced since, or is itself stale."""
        stored = self.stored(name)
        if stored is None:
            return True
        for parent, digest in stored.meta.parents.items():
            made_from = self.stored(parent)
            if made_from is None or made_from.meta.digest != digest or self.stale(parent):
                return True
        return False

    def fresh(self, name: str) -> Stored[Any]:
        """Return a fresh artefact; raises `KdError` naming the command that makes it if it is not fresh."""
        stored = self.stored(name)
        if stored is None:
            raise KdError(f"run {self.run.name} has no {name} yet", ("make it with ", self.command(name)))
        if stored.stale:
            raise KdError(
                f"{name} of run {self.run.name} is stale: what it was made from has been replaced since",
                ("renew it with ", stored.command.adding(force=True)),
            )
        return stored

    @property
    def data(self) -> Data:
        """The run's data; raises `KdError` naming the command that makes them if they are missing."""
        return self.fresh(DATA)  # type: ignore[return-value]

    @property
    def draws(self) -> list[Draw]:
        """The run's draws of data and teacher: the stored teacher, else the recipe's."""
        stored = self.stored(TEACHER)
        teacher = stored.record.settings if isinstance(stored, TrainedTeacher) else self.recipe.teacher
        return [Draw(number, self.data.seed, teacher.seed) for number in range(self.data.draws)]

    @property
    def teacher(self) -> TrainedTeacher:
        """The run's teacher; raises `KdError` naming the command that trains it if it is missing."""
        return self.fresh(TEACHER)  # type: ignore[return-value]

    @property
    def teacher_source(self) -> str:
        """The source of the run's teacher, if it is an existing teacher; else empty."""
        stored = self.stored(TEACHER)
        return stored.record.settings.source if isinstance(stored, TrainedTeacher) else ""

    @property
    def has_teacher(self) -> bool:
        """Whether there is a teacher, in whatever state."""
        return self.stored(TEACHER) is not None

    def students(self, models: Sequence[str] = ()) -> list[TrainedStudents]:
        """Read the student sets of these models, or all, in their usual order.

        A folder without tensors is not a student set, and is skipped. Raises `KdError` for a set without a
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
        return KdError(
            f"{artefact.path} is unfinished: it has tensors, but no meta.json that describes them",
            joined(self._removal(artefact), f", or move it out of {artefact.path.parent} to keep it"),
        )

    def write(self, name: str, record: Record, content: Content) -> None:
        """Write an artefact with this record, replacing an existing one."""
        parents = {parent: self.fresh(parent).meta.digest for parent in record.parents}
        self.run.artefact(name).write(kind_of(name).stage, record.to_record(), parents, content)
        self._stored.pop(name, None)

    def adopt(self, recipe: str) -> None:
        """Store another recipe, as TOML."""
        self.run.write_recipe(recipe)
        self.__dict__.pop("recipe", None)


def position(student_set: StudentSet, folder: str, models: Sequence[str]) -> tuple[Any, ...]:
    """Return the sort key of a student set; `models` are those of the recipe.

    Sets are sorted by model (those of the recipe first), then by target in the order of TARGETS, then by
    temperature.
    """
    model = str(student_set.model)
    return (
        models.index(model) if model in models else len(models),
        model,
        list(TARGETS).index(student_set.target),
        student_set.temperature,
        student_set.settings.label_weight,
        folder,
    )
