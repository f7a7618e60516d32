"""`kd run`: all stages of a recipe in one process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from kdcli import crew
from kdcli.data import DATASETS, Dataset
from kdcli.data.sources import Bar, unseen
from kdcli.errors import Command
from kdcli.evidence.gather import gather
from kdcli.progress import Watch, unwatched
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipes import names_recipe
from kdcli.runs.source import absolute
from kdcli.runs.transfer import Transfer
from kdcli.settings import override
from kdcli.stages.compare import Compared, report
from kdcli.stages.distill import Distilled, distill
from kdcli.stages.gen_data import DataMade, gen_data
from kdcli.stages.plot import Plotted, plot
from kdcli.stages.train_teacher import TeacherTrained, train_teacher
from kdcli.store import named_run
from kdcli.teachers.elsewhere import resolved

Result = DataMade | TeacherTrained | Distilled | Plotted | Compared


def with_teacher(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """Return a recipe with these teacher settings, and with an absolute path of an existing teacher."""
    teacher = override(recipe.teacher, options)
    return replace(recipe, teacher=replace(teacher, source=absolute(teacher.source)))


@dataclass(frozen=True)
class Step:
    """One stage of a run: the equivalent command, and the call that does it."""

    command: Command
    call: Callable[[], Result]


@dataclass(frozen=True)
class WholeRun:
    """All stages of a recipe on one run.

    `source` is the recipe's name or file, or the file or folder of the data; `files` is the folder that a
    dataset is read from. `settings` override the recipe's data section; `given` are those that the user
    typed. `seeds` overrides the number of seeds of its students. `teacher` has this call's settings of an
    existing teacher, which may name code. An existing run with the same data and teacher keeps its recipe,
    and gets these students in addition.
    """

    experiment: Experiment
    recipe: Recipe
    source: str
    files: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    teacher: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None
    force: bool = False
    keep_going: bool = False
    file_format: str = "png"
    watch: Watch = unwatched
    bar: Bar = unseen

    def steps(self) -> list[Step]:
        """Return the stages in order, each with its equivalent command."""
        if self.recipe.teacher.source:
            resolved(self.recipe.teacher, self.teacher.get("source"))  # fails before anything is made
        crew.start(drawing=True)
        joins = self.joins
        evidence = cache(lambda: gather(self.experiment))  # called once the students are trained
        file_format = "" if self.file_format == "png" else self.file_format
        recipe = self.source if names_recipe(self.source) else self.recipe.dataset
        students_of = recipe if joins else ""
        return [
            Step(self._making(joins), lambda: self._gen_data(joins)),
            Step(
                self._later("train-teacher", **self.teacher, force=self.force),
                self._train_teacher,
            ),
            Step(
                self._later(
                    "distill",
                    recipe=students_of,
                    seeds=self.seeds,
                    keep_going=self.keep_going,
                    force=self.force,
                ),
                lambda: self._distill(joins),
            ),
            Step(
                self._later("plot", format=file_format),
                lambda: plot(self.experiment, file_format=self.file_format, evidence=evidence),
            ),
            Step(
                self._later("compare"),
                lambda: report(self.experiment, evidence(), "", self._later("compare", full=True)),
            ),
        ]

    @property
    def joins(self) -> bool:
        """Whether the run exists with another recipe that has the same data and teacher."""
        if not self.experiment.run.recipe_path.is_file():
            return False
        if self._dataset.opened:  # its settings are known only once its files are read
            return False
        own, recipe = self.experiment.recipe, self._with_settings
        return own != recipe and (own.data, own.teacher) == (recipe.data, recipe.teacher)

    @property
    def _dataset(self) -> Dataset[Any]:
        return DATASETS[self.recipe.dataset]

    @property
    def _with_settings(self) -> Recipe:
        """The recipe with the requested settings in place of its own."""
        return replace(self.recipe, data=override(self.recipe.data, self.settings))

    def _making(self, joins: bool) -> Command:
        """Return the command that makes the run."""
        run, dataset = self.experiment.run, self.recipe.dataset
        plain = joins or self.source == dataset or not names_recipe(self.source)
        options = {
            "recipe": "" if plain else self.source,
            "source": (self.files or "") if names_recipe(self.source) else "",
            "force": self.force,
            **({} if joins else self.given),
        }
        named = "" if run.name == (named_run() or dataset) else run.name
        arguments = (dataset if names_recipe(self.source) else self.source,) if plain else ()
        return Command("gen-data", arguments, options, run=named, outputs=run.store.root)

    def _later(self, name: str, **options: object) -> Command:
        """Return a command for a later stage; the run is current by then."""
        run = self.experiment.run
        named = "" if named_run() in (None, run.name) else run.name
        return Command(name, (), options, run=named, outputs=run.store.root)

    def _gen_data(self, joins: bool) -> DataMade:
        recipe = self.experiment.recipe if joins else self.recipe
        return gen_data(
            self.experiment,
            recipe,
            {} if joins else self.settings,
            adopt=not joins,
            force=self.force,
            source=self.files,
            bar=self.bar,
            watch=self.watch,
        )

    def _train_teacher(self) -> TeacherTrained:
        return train_teacher(self.experiment, self.teacher, force=self.force, watch=self.watch)

    def _distill(self, joins: bool) -> Distilled:
        made = distill(
            self.experiment,
            {"seeds": self.seeds},
            source=self.teacher.get("source") if Transfer.parse(self.recipe.students.transfer).made else None,
            students=self.recipe.students if joins else None,
            force=self.force,
            keep_going=self.keep_going,
            watch=self.watch,
        )
        return replace(made, brief=True)  # the comparison follows
