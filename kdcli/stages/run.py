"""`kd run`: all stages of a recipe in one process."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kdcli import crew
from kdcli.data.sources import Bar, unseen
from kdcli.evidence.gather import gather
from kdcli.progress import Watch, unwatched
from kdcli.runs.artefacts import run_recipe
from kdcli.runs.recipe import Recipe
from kdcli.stages.compare import Compared, report
from kdcli.stages.distill import Distilled, distill
from kdcli.stages.gen_data import DataMade, gen_data
from kdcli.stages.plot import Plotted, plot
from kdcli.stages.train_teacher import TeacherTrained, train_teacher
from kdcli.store import Store, named_run

Result = DataMade | TeacherTrained | Distilled | Plotted | Compared


@dataclass(frozen=True)
class Step:
    """One stage of a run: the command it stands for, and the call that does it."""

    command: str
    call: Callable[[], Result]


def steps(
    store: Store,
    recipe: Recipe,
    *,
    source: str,
    run_name: str,
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
    run = store.run(run_name)
    of_shell = named_run()
    later = store.flag if of_shell in (None, run_name) else f" --run {run_name}{store.flag}"
    forced = " --force" if force else ""
    named = "" if run_name == (of_shell or recipe.dataset) else f" --run {run_name}"
    given = f" --source {shlex.quote(str(files))}" if files else ""
    going = " --keep-going" if keep_going else ""
    drawn = "" if file_format == "png" else f" --format {file_format}"
    evidence = cache(lambda: gather(run))  # of the students when they are there
    joins = False
    if run.recipe_path.is_file():
        own = run_recipe(run)
        joins = own != recipe and (own.data, own.teacher) == (recipe.data, recipe.teacher)
    taken = f"--recipe {shlex.quote(source)}"
    made_from = recipe.dataset if joins or source == recipe.dataset else taken
    return [
        Step(
            f"kd gen-data {made_from}{given}{named}{store.flag}{forced}",
            lambda: gen_data(
                store,
                run_recipe(run) if joins else recipe,
                run_name=run_name,
                options={},
                adopt=not joins,
                force=force,
                source=files,
                bar=bar,
            ),
        ),
        Step(f"kd train-teacher{later}{forced}", lambda: train_teacher(run, {}, force=force, watch=watch)),
        Step(
            "kd distill" + (f" {taken}" if joins else "") + going + later + forced,
            lambda: distill(
                run,
                {},
                students=recipe.students if joins else None,
                force=force,
                keep_going=keep_going,
                watch=watch,
            ),
        ),
        Step(f"kd plot{drawn}{later}", lambda: plot(run, file_format=file_format, evidence=evidence)),
        Step(f"kd compare{later}", lambda: report(evidence())),
    ]
