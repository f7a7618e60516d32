"""The records of data and of teachers, and the protocol that the records of all kinds share.

One class for each kind of artefact reads a record (`from_record`), writes it (`to_record`), and provides the
rest: the parents of the artefact, its configuration in words, and the options that make it again. The class
is the schema: content that it would not have written is refused. Student sets have `student_sets.StudentSet`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol, Self, TypeVar

from kdcli.data import find_dataset
from kdcli.data.sources import published
from kdcli.models import Model, parse_teacher
from kdcli.models.given import Given
from kdcli.runs.recipe import Recipe, Teacher, applies
from kdcli.runs.source import absolute
from kdcli.settings import read
from kdcli.store import to_json
from kdcli.words import counted

DIGEST = re.compile("[0-9a-f]{64}")
FOLDS = 5  # the default for teachers that memorise their training rows

C = TypeVar("C")


class Record(Protocol):
    """The record of one kind of artefact."""

    @property
    def parents(self) -> tuple[str, ...]:
        """The names of the artefact's parents."""

    @property
    def scored(self) -> int:
        """The number of models that the artefact has scores for; 0 if it has none."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read a record; raises ValueError or `UsageError` for content that no stage would have written."""

    def to_record(self) -> dict[str, Any]:
        """Return the record in the form that `from_record` reads."""

    def asked(self, recipe: Recipe, folder: str, used: Mapping[str, str]) -> Self | None:
        """Return the record that a recipe asks for in place of the artefact in `folder`; None without one.

        If the recipe leaves a choice open, the value that was `used` counts as asked for.
        """

    def settings_of_recipe(self) -> dict[str, Any]:
        """Return the settings of the artefact that a recipe can have."""

    def making(self, recipe: Recipe, folder: str) -> dict[str, Any]:
        """Return the options with which a run of this recipe makes the artefact in `folder` again."""

    def words(self, folder: str) -> list[str]:
        """Return the configuration in words."""


@dataclass(frozen=True)
class DataRecord:
    """The record of data: the dataset, its options, and the fingerprint of the files that were read."""

    dataset: str
    config: Any
    content: str = ""

    parents: ClassVar[tuple[str, ...]] = ()
    scored: ClassVar[int] = 0

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read a record; raises ValueError or `UsageError` for content that no stage would have written."""
        options = dict(record)
        name, content = options.pop("dataset", None), options.pop("content", "")
        if not isinstance(name, str) or not isinstance(content, str):
            raise ValueError("dataset and content must be texts")
        kind = find_dataset(name)
        config = read_settings(kind.config, options)
        if problems := kind.problems(config):
            raise ValueError("; ".join(problems))
        return cls(name, config, content)

    def to_record(self) -> dict[str, Any]:
        """Return the record in the form that `from_record` reads."""
        content = {"content": self.content} if self.content else {}
        return {"dataset": self.dataset, **asdict(self.config), **content}

    def asked(self, recipe: Recipe, folder: str, used: Mapping[str, str]) -> DataRecord:
        """Return the data that a recipe asks for, from the same files."""
        return DataRecord(recipe.dataset, recipe.data, self.content)

    def settings_of_recipe(self) -> dict[str, Any]:
        """Return the dataset and its options."""
        return {"dataset": self.dataset, **asdict(self.config)}

    def making(self, recipe: Recipe, folder: str) -> dict[str, Any]:
        """Return the options with which a run of this recipe makes the data again."""
        return {"source": "FOLDER" if self.own_files else ""}

    def words(self, folder: str) -> list[str]:
        """Return the options that the sizes of the splits do not show."""
        sizes = ("val_fraction", "test_fraction", "n_samples", "n_val", "n_test", "draws", "image_size")
        told = {"dataset", "content", "digest", "header", *sizes}
        draws = [counted(self.config.draws, "draw")] if self.config.draws > 1 else []
        options = {key: value for key, value in self.to_record().items() if key not in told}
        given = {key: value for key, value in options.items() if value is not False and value not in ("", ())}
        return draws + [in_words(key, value) for key, value in given.items()]

    @property
    def own_files(self) -> bool:
        """Whether the data were read from other files than the published ones."""
        kind = find_dataset(self.dataset)
        return bool(kind.files) and self.content != published(kind)

    @property
    def name(self) -> str:
        """The name of the data."""
        kind = find_dataset(self.dataset)
        if kind.called:
            return kind.called(self.config)
        return kind.others if self.own_files else self.dataset


@dataclass(frozen=True)
class TeacherRecord:
    """The record of a teacher: the settings that it was made with."""

    settings: Teacher

    parents: ClassVar[tuple[str, ...]] = ("data",)
    scored: ClassVar[int] = 1

    @classmethod
    def of(cls, settings: Teacher) -> Self:
        """Return the record of a teacher with these settings, with defaults for those that do not apply."""
        own = {key: getattr(settings, key) for key in settings.keys}
        if settings.source:
            return cls(Teacher(**own))
        model = parse_teacher(settings.model, settings.ensemble)
        times, models = model.factored
        own = {key: value for key, value in own.items() if applies(Teacher, key, model)}
        return cls(Teacher(**{**own, "model": str(models), "ensemble": times}))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read a record; raises ValueError or `UsageError` for content that no stage would have written."""
        settings = read_settings(Teacher, record)
        if settings.source and not DIGEST.fullmatch(settings.digest):
            raise ValueError("an existing teacher must have its SHA-256 as digest")
        made = cls.of(settings)
        check_spelling(record, made.to_record())
        return made

    def to_record(self) -> dict[str, Any]:
        """Return the record in the form that `from_record` reads: the settings that apply."""
        return {
            key: getattr(self.settings, key)
            for key in self.settings.keys
            if self.settings.source or applies(Teacher, key, self.model)
        }

    def asked(self, recipe: Recipe, folder: str, used: Mapping[str, str]) -> TeacherRecord:
        """Return the teacher that a recipe asks for.

        A recipe that asks for a value which this teacher chose by itself, and `used`, asks for this teacher.
        """
        digest = recipe.teacher.digest or self.settings.digest
        asked = replace(recipe.teacher, source=absolute(recipe.teacher.source), digest=digest)
        return TeacherRecord.of(asked).as_used(self, used)

    def settings_of_recipe(self) -> dict[str, Any]:
        """Return all settings."""
        return {"source": self.settings.source, **self.to_record()}

    def making(self, recipe: Recipe, folder: str) -> dict[str, Any]:
        """Return the options with which a run of this recipe trains the same teacher again."""
        record = {key: value for key, value in self.to_record().items() if key != "digest"}
        return {key: value for key, value in record.items() if value != getattr(recipe.teacher, key)}

    def words(self, folder: str) -> list[str]:
        """Return the model, and how it was trained."""
        if self.settings.source:
            return [f"from {self.model}"]
        folds = [f"training rows labelled in {self.folds} folds"] if self.folds > 1 else []
        return [str(self.model), *folds, *training_words(self.to_record(), {"model", "ensemble", "folds"})]

    @property
    def model(self) -> Model:
        """The teacher's family and shape."""
        settings = self.settings
        if settings.source:
            return Given(settings.source)
        return parse_teacher(settings.model, settings.ensemble)

    @property
    def folds(self) -> int:
        """The number of folds for out-of-fold labels; 1 means that the teacher labels its own rows."""
        return self.settings.folds or (FOLDS if self.model.remembers else 1)

    def as_used(self, stored: TeacherRecord, used: Mapping[str, str]) -> TeacherRecord:
        """Return the record with the open choices of the stored one, where this asks for the values used.

        To ask for a value that the stored teacher chose by itself is to ask for the same teacher, unless the
        model differs: it may choose another value.
        """
        if self.model != stored.model:
            return self
        mine, theirs = self.to_record(), stored.to_record()
        same = {key: theirs[key] for key, value in used.items() if key in mine and str(mine[key]) == value}
        return TeacherRecord(replace(self.settings, **same))


def read_settings(config: type[C], table: Mapping[str, Any]) -> C:
    """Read settings from a record; missing ones have their default, since they may be newer than the record.

    Raises ValueError for content that no stage would have written.
    """
    settings, problems = read(config, table, "config")
    if settings is None:
        raise ValueError("; ".join(problems))
    check_spelling(table, {key: getattr(settings, key) for key in table})
    return settings


def read_seeds(record: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """Read seeds from a record, empty if it lacks the key; raises ValueError if they are invalid."""
    seeds = record.get(key, [])
    if not isinstance(seeds, list) or any(type(seed) is not int for seed in seeds) or seeds != sorted(seeds):
        raise ValueError(f"{key} must be a list of whole numbers in ascending order")
    return tuple(seeds)


def check_spelling(record: Mapping[str, Any], written: Mapping[str, Any]) -> None:
    """Raise ValueError unless a record spells its values as they are `written`, such as 4.0 and not 4."""
    for key, value in record.items():
        proper = json.dumps(to_json(written.get(key)))
        if json.dumps(value) != proper:
            raise ValueError(f"{key} is written as {proper}, not {json.dumps(value)}")


def training_words(settings: Mapping[str, Any], told: Collection[str]) -> list[str]:
    """Describe how a model was trained, except for the keys in `told`."""
    texts = []
    for key, value in settings.items():
        if key == "epochs":
            texts.append(counted(value, "epoch"))
        elif key == "batch_size":
            texts.append(f"batches of {value}" if value else "full batches")
        elif key == "select":
            texts += ["best epoch"] if value == "best" else []
        elif key == "class_weight":
            texts += ["classes weighted equally"] if value == "balanced" and key not in told else []
        elif key not in told:
            texts.append(in_words(key, value))
    return texts


def in_words(key: str, value: Any) -> str:
    """Write a setting and its value, such as "learning rate 0.001"."""
    return f"{key.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{key} {value}"


def folder_of(name: str) -> str:
    """Return the name of an artefact within its kind, such as "soft-T4-mlp4"."""
    return name.rpartition("/")[2]
