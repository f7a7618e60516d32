"""`kd run`: all stages of a recipe in one process."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kdcli import crew
from kdcli.data.sources import Bar, unseen
from kdcli.errors import Command
from kdcli.evidence.gather import gather
from kdcli.progress import Watch, unwatched
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import Recipe
from kdcli.stages.compare import Compared, report
from kdcli.stages.distill import Distilled, distill
from kdcli.stages.gen_data import DataMade, gen_data
from kdcli.stages.plot import Plotted, plot
from kdcli.stages.train_teacher import TeacherTrained, train_teacher
from kdcli.store import named_run

Result = DataMade | TeacherTrained | Distilled | Plotted | Compared


@dataclass(frozen=True)
class Step:
    """One stage of a run: the command it stands for, and the call that does it."""

    command: Command
    call: Callable[[], Result]


def steps(
    experiment: Experiment,
    recipe: Recipe,
    *,
    source: str,
    files: Path | None = None,
    force: bool = False,
    keep_going: bool = False,
    file_format: str = "png",
    watch: Watch = unwatched,
    bar: Bar = unseen,
) -> list[Step]:
    """Return the stages of a recipe in order, each with the command that does the same.

    `source` is the recipe's name or file, `files` the folder that its dataset is read from. A run that is
    there with the same data and teacher keeps its recipe, and is given these students besides.
    """
    crew.start(drawing=True)
    run, joins = experiment.run, joins_run(experiment, recipe)
    evidence = cache(lambda: gather(experiment))  # of the students when they are there
    named = "" if run.name == (named_run() or recipe.dataset) else run.name
    later = "" if named_run() in (None, run.name) else run.name  # gen-data makes the run current
    made_from = (recipe.dataset,) if joins or source == recipe.dataset else ()

    def command(name: str, *arguments: str, run: str = later, **options: object) -> Command:
        return Command(name, arguments, options, run=run, outputs=experiment.run.store.root)

    return [
        Step(
            command(
                "gen-data",
                *made_from,
                run=named,
                recipe="" if made_from else source,
                source=files or "",
                force=force,
            ),
            lambda: gen_data(
                experiment,
                experiment.recipe if joins else recipe,
                {},
                adopt=not joins,
                force=force,
                source=files,
                bar=bar,
            ),
        ),
        Step(
            command("train-teacher", force=force),
            lambda: train_teacher(experiment, {}, force=force, watch=watch),
        ),
        Step(
            command("distill", recipe=source if joins else "", keep_going=keep_going, force=force),
            lambda: replace(
                distill(
                    experiment,
                    {},
                    students=recipe.students if joins else None,
                    force=force,
                    keep_going=keep_going,
                    watch=watch,
                ),
                brief=True,
            ),
        ),
        Step(
            command("plot", format="" if file_format == "png" else file_format),
            lambda: plot(experiment, file_format=file_format, evidence=evidence),
        ),
        Step(command("compare"), lambda: report(experiment, evidence())),
    ]


def joins_run(experiment: Experiment, recipe: Recipe) -> bool:
    """Whether a run is there with another recipe of the same data and teacher, whose students may join it."""
    if not experiment.run.recipe_path.is_file():
        return False
    own = experiment.recipe
    return own != recipe and (own.data, own.teacher) == (recipe.data, recipe.teacher)
