"""Studies: many runs that differ in the settings that a sweep file varies."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kdcli.data import DATASETS, kind_of_source
from kdcli.errors import Command, KdError, Text, UsageError, unknown
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_reading import RecipeError, tables_of
from kdcli.runs.recipes import BUILTIN, SUFFIX, builtin_names, builtin_text, decode
from kdcli.runs.source import runs_code
from kdcli.runs.vary import FILES, SECTIONS, Planned, planned, varying
from kdcli.store import Run, StudyFolder, to_json

FORMAT = 1  # version of the format of plans
STUDIES = BUILTIN / "studies"
PATHS = ("data.file", "data.test", "data.val")
EXACT, PORTABLE = "machine", "portable"
KEY = 16  # hexadecimal digits of a digest that serve as a key within a study


@dataclass(frozen=True)
class Study:
    """A study: its plan, and the folder of its runs.

    `tables` are those of its sweep file with the base filled in. `reproducible` is "machine" for one kind of
    machine, or "portable" for all processors of a family.
    """

    folder: StudyFolder
    tables: Mapping[str, Any]
    runs: Sequence[Planned]
    reproducible: str = EXACT

    @classmethod
    def planned(cls, folder: StudyFolder, source: str, reproducible: str = EXACT) -> Study:
        """Plan the study of a sweep file, or of a built-in one; raises `RecipeError` with all problems."""
        tables = filled(tables_of(sweep_text(source), source), source)
        runs = planned(tables, source)
        if code := {run.recipe.teacher.source for run in runs if _runs_code(run.recipe)}:
            raise RecipeError(
                f"{source}: teacher.source names code, {', '.join(sorted(code))}, which a sweep does not run",
                "store its predictions in a file, and name the file",
            )
        return cls(folder, tables, runs, reproducible)

    @classmethod
    def open(cls, folder: StudyFolder) -> Study:
        """Open an existing study; raises `KdError` if its plan is invalid."""
        if not folder.is_there:
            raise unknown("study", folder.name, folder.store.studies())
        path = folder.path / "study.json"
        try:
            record = json.loads(folder.read_plan())
            if record["format"] != FORMAT:
                raise ValueError("another version of kd wrote it")
            study = cls(
                folder, record["tables"], planned(record["tables"], str(path)), record["reproducible"]
            )
            if study.digest != record["digest"]:
                raise ValueError("this version of kd reads other runs from its plan")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RecipeError) as error:
            raise KdError(
                f"{path} is invalid: {error}", f"move {folder.path} elsewhere, and sweep again"
            ) from None
        return study

    def store(self) -> None:
        """Store the plan; raises `KdError` if the folder has runs of another plan, or is not a study."""
        with self.folder.making("plan"):
            self._store()

    def _store(self) -> None:
        if self.folder.is_there:
            there = Study.open(self.folder)
            if there.digest == self.digest and there.reproducible == self.reproducible:
                return
            own = {run.name: key_of(run.recipe) for run in self.runs}
            kept = all(own.get(run.name) == key_of(run.recipe) for run in there.runs)
            begun = any(self.folder.run(run.name).path.exists() for run in there.runs)
            if begun and not (kept and there.reproducible == self.reproducible):
                raise KdError(
                    f"the study {self.folder.name} in {self.folder.path} has another plan, to which "
                    "only values of varied keys may be added",
                    ("--study NAME makes another study; ", self._delete, " deletes the existing one"),
                )
        elif not self._may_be():
            raise KdError(
                f"{self.folder.path} exists and is not a study", "choose another name with --study NAME"
            )
        record = {
            "format": FORMAT,
            "reproducible": self.reproducible,
            "digest": self.digest,
            "tables": self.tables,
        }
        self.folder.write_plan(json.dumps(to_json(record), indent=1) + "\n")

    @property
    def _delete(self) -> Command:
        return self.folder.store.command("delete", self.folder.name)

    def _may_be(self) -> bool:
        """Whether the folder is free, except for leftovers of an interrupted sweep."""
        path = self.folder.path
        return not os.path.lexists(path) or (path.is_dir() and not (path / "recipe.toml").exists())

    def anew(self, run: Run) -> Text:
        """Say how to make a run again that differs from its plan."""
        sweep = self.folder.store.command("sweep", "FILE", study=self.folder.name)
        return (run.store.command("delete", run.name), " and ", sweep, " make it again")

    @property
    def files(self) -> str:
        """The folder that a published dataset is read from instead of a download; empty otherwise."""
        return str(self.tables.get(FILES, ""))

    @cached_property
    def digest(self) -> str:
        """The digest of the plan: of the names and recipes of all runs."""
        lines = "".join(f"{run.name} {key_of(run.recipe)}\n" for run in self.runs)
        return hashlib.sha256(lines.encode()).hexdigest()

    @cached_property
    def varied(self) -> dict[str, list[Any]]:
        """The distinct values of each varied key."""
        return varying([run.varied for run in self.runs])


def _runs_code(recipe: Recipe) -> bool:
    return bool(recipe.teacher.source) and runs_code(recipe.teacher.source)


def key_of(*parts: Any) -> str:
    """Return a digest that is the same for equal recipes, or equal sections of recipes."""
    texts = [json.dumps(to_json(asdict(part) if not isinstance(part, str) else part)) for part in parts]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:KEY]


def data_key(recipe: Recipe) -> str:
    """Return a key shared by all recipes with the same data."""
    return f"data-{key_of(recipe.dataset, recipe.data)}"


def teacher_key(recipe: Recipe) -> str:
    """Return a key shared by all recipes with the same data and teacher."""
    return f"teacher-{key_of(recipe.dataset, recipe.data, recipe.teacher)}"


def study_names() -> list[str]:
    """Names of the studies that come with kd."""
    return sorted(path.stem for path in STUDIES.glob(f"*{SUFFIX}"))


def sweep_text(source: str) -> str:
    """Return the text of a sweep file, or of a study that comes with kd."""
    if source.endswith(SUFFIX):
        try:
            return decode(Path(source).read_bytes(), source)
        except OSError as error:
            raise KdError(
                f"cannot read the sweep file {source}: {error.strerror}",
                f"studies that come with kd: {', '.join(study_names())}",
            ) from None
    if source not in study_names():
        raise unknown("study", source, study_names(), f"A sweep file of your own ends in {SUFFIX}")
    return (STUDIES / f"{source}{SUFFIX}").read_text(encoding="utf-8")


def filled(tables: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the tables of a sweep file with the sections of its base, and absolute paths of data."""
    base = tables.get("base", "")
    if not isinstance(base, str):
        raise RecipeError(f"{source}: base must be a text that names a recipe or a data file")
    sections = _base(base, source) if base else {}
    for key, table in tables.items():
        if key in SECTIONS and isinstance(table, dict) and isinstance(sections.get(key, {}), dict):
            sections[key] = {**sections.get(key, {}), **table}
        elif key != "base":
            sections[key] = table
    return {key: _with_whole_paths(key, table) for key, table in sections.items()}


def _with_whole_paths(key: str, value: Any) -> Any:
    """Return tables with absolute paths for the settings in PATHS, also where they are varied."""
    if isinstance(value, dict):
        return {
            name: _with_whole_paths(name if "." in name else f"{key}.{name}".removeprefix("vary."), inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_whole_paths(key, item) for item in value]
    return os.path.abspath(value) if key in PATHS and isinstance(value, str) and value else value


def _base(base: str, source: str) -> dict[str, Any]:
    """Return the sections of a recipe, or of the recipe for a data file."""
    if base in builtin_names():
        return tables_of(builtin_text(base), base)
    if base.endswith(SUFFIX):
        sections = tables_of(sweep_text(base), base)
        if "vary" in sections or "base" in sections:
            raise UsageError(f"{source}: its base {base} is a sweep file itself", "name a recipe")
        return sections
    if not os.path.exists(base):
        raise unknown("base", base, builtin_names(), "Give a file of your own by its path")
    kind = kind_of_source(Path(base))
    sections = tables_of(builtin_text(kind), kind)
    if DATASETS[kind].files:
        return {**sections, FILES: os.path.abspath(base)}
    return {**sections, "data": {**sections["data"], "file": base, "digest": ""}}
