"""Command calls: what a command line asks for, and the run and recipe that it refers to."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kdcli.cli.options import Options
from kdcli.cli.parameters import Parameter
from kdcli.data import find_dataset, kind_of_source
from kdcli.data.owned import stem
from kdcli.errors import KdError, UsageError
from kdcli.report import Screen
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipes import SUFFIX, builtin, load, names_recipe
from kdcli.store import NAME, Run, Store, named_run

if TYPE_CHECKING:
    from kdcli.runs.experiment import Experiment


@dataclass(frozen=True)
class Call:
    """One call of a command: the settings given for a section of the recipe, by key, and the other options.

    `settings` has only the keys that were given.
    """

    settings: Mapping[str, Any]
    options: Options

    @classmethod
    def from_line(
        cls, given: Mapping[str, Any], settings: Sequence[Parameter], options: Sequence[Parameter]
    ) -> Self:
        """Build a call from the values that Typer parsed, using the declared parameters.

        Raises `UsageError` for an option that is out of range; settings are checked with their section.
        """
        values = _values(given, options)
        for parameter in options:
            parameter.check(values.get(parameter.key))
        return cls(_values(given, settings), Options(**values))

    @cached_property
    def screen(self) -> Screen:
        """The screen that the command prints to."""
        return Screen(self.options.quiet, self.options.as_json)

    @cached_property
    def store(self) -> Store:
        """The outputs folder that the command works on."""
        return Store(self.options.outputs)

    def passed(self, *keys: str) -> dict[str, Any]:
        """Return the named options as keyword arguments, for a stage that uses the same names."""
        return {key: getattr(self.options, key) for key in keys}

    def opened(self, run: Run) -> "Experiment":
        """Open a run, to read it or to work on it."""
        from kdcli.runs.experiment import Experiment

        return Experiment.open(run)

    def run_to_make(self, name: str) -> Run:
        """Return the run of this name, which need not exist; raises `UsageError` if its study does not."""
        run, (study, slash, _) = self.store.run(name), name.partition("/")
        if slash and study not in self.store.studies():
            raise UsageError(
                f"{name}: there is no study {study}", "only names of runs in a study contain a /"
            )
        return run

    def recipe_of(self, name: str) -> Recipe | None:
        """Return the recipe of a run; None if there is no such run."""
        run = self.store.run(name)
        return self.opened(run).recipe if run.recipe_path.is_file() else None

    @contextmanager
    def working_on(self, run: Run) -> Iterator["Experiment"]:
        """Announce the run, lock it against other kd processes, and open it."""

        def waiting() -> None:
            self.screen.hint(f"another kd is working on run {run.name}; waiting for it to finish")

        self.screen.working_on(run)
        with run.locked(wait=not self.options.no_wait, waiting=waiting) as leftovers:
            if leftovers:
                self.screen.hint(f"removed leftovers of an interrupted command: {', '.join(leftovers)}")
            yield self.opened(run)


def _values(given: Mapping[str, Any], parameters: Sequence[Parameter]) -> dict[str, Any]:
    values = {parameter.key: parameter.value(given) for parameter in parameters}
    return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Source:
    """The source of a run's data: a recipe, settings for its data section, and a folder of IDX files."""

    recipe: Recipe
    settings: Mapping[str, Any]
    name: str
    files: Path | None = None


def is_path(source: str) -> bool:
    """Whether a source is a file or folder of data, rather than a recipe file or the name of a recipe.

    A folder with the name of a dataset must be given as a path, such as ./moons.
    """
    return not names_recipe(source) and ("/" in source or "." in source or os.path.isdir(source))


def source_of(source: str, given: str | None, run: Callable[[str], Recipe | None]) -> Source:
    """Return the source for a file or folder of the user's own; the run is named `given` or after the file.

    `run` returns the recipe of an existing run; it is used if it is for the same kind of data.
    """
    path = Path(source)
    if not os.path.exists(path):
        raise KdError(f"there is no file or folder {source}", "check the path")
    kind = kind_of_source(path)
    name = given or named_run() or re.sub(r"[^A-Za-z0-9._-]+", "-", stem(path)).strip("-.") or kind
    own = run(name)
    recipe = own if own is not None and own.dataset == kind else builtin(kind)
    if kind == "mnist":
        return Source(recipe, {}, name, path)
    return Source(recipe, {"file": str(path.absolute()), "digest": ""}, name)


def run_name(source: str, given: str | None) -> str:
    """Return the name of a recipe's run: `given`, else KD_RUN, else the name of the recipe or of its file."""
    given = given or named_run()
    name = given or (Path(source).stem if source.endswith(SUFFIX) else source)
    if given is None and not NAME.fullmatch(name):
        raise UsageError(f"the file name '{name}' cannot name a run", "name the run with --run NAME")
    return name


def recipe_for_data(call: Call) -> Source:
    """Return the source of gen-data's data.

    Its recipe is --recipe if given, else the recipe of the run if that exists, else the dataset's. The run is
    named by --run or KD_RUN, else after the recipe, the dataset or the file.
    """
    dataset, source, name = call.options.dataset, call.options.recipe, call.options.new_run
    if dataset is not None and is_path(dataset):
        files = source_of(dataset, name, call.recipe_of)
        return files if source is None else replace(files, recipe=load(source))
    if source is None:
        name = name or named_run() or dataset or "gaussians"
        if dataset is not None:
            find_dataset(dataset)
        own = call.recipe_of(name)
        if own is None:
            return Source(builtin(dataset or "gaussians"), {}, name)
        recipe, source = own, f"of run {name}"
    else:
        recipe, name = load(source), run_name(source, name)
    if dataset is not None and dataset != recipe.dataset:
        raise UsageError(
            f"the recipe {source} is for the dataset {recipe.dataset}, not {dataset}",
            "leave out the dataset, or give the run another name with --run NAME",
        )
    return Source(recipe, {}, name)
