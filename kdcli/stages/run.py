"""`kd run`: all stages of a recipe in one process, and the table that sums them up."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdcli.metrics import hits
from kdcli.recipe import Recipe
from kdcli.stages.artefacts import Data, Watch, load_data, load_teacher, run_recipe, unwatched
from kdcli.stages.distill import Distilled, SetMade, distill
from kdcli.stages.gen_data import DataMade, gen_data
from kdcli.stages.plot import Plotted, plot
from kdcli.stages.sources import Bar, unseen
from kdcli.stages.student_sets import load_students
from kdcli.stages.train_teacher import TeacherTrained, train_teacher
from kdcli.stats import Estimate, crossed_mean
from kdcli.store import Run, Store

Result = DataMade | TeacherTrained | Distilled | Plotted


@dataclass(frozen=True)
class Step:
    """One stage of a run: the command it stands for, and the call that does it."""

    command: str
    call: Callable[[], Result]


@dataclass(frozen=True)
class Summary:
    """How the teacher and each student set did on the test split, beside the Bayes optimum.

    `bayes` scores the exact posterior on the same test examples, `optimum` over the whole
    distribution; both are None where the posterior is not known. Students' metrics have a value
    per seed; `intervals` has the 95 % interval of each set's mean accuracy.
    """

    run: str
    path: Path
    dataset: str
    n_test: int
    optimum: dict[str, float] | None
    bayes: dict[str, float] | None
    teacher_model: str
    teacher: dict[str, float]
    students: list[SetMade]
    intervals: list[Estimate]


def steps(
    store: Store,
    recipe: Recipe,
    *,
    source: str,
    run_name: str,
    files: Path | None = None,
    force: bool = False,
    file_format: str = "png",
    watch: Watch = unwatched,
    bar: Bar = unseen,
) -> list[Step]:
    """Return the stages of a recipe in order, each with the command that does the same.

    `source` is the recipe's name or file, `files` the folder that its dataset is read from. A run that is
    there with the same data and teacher keeps its recipe, and is given these students besides.
    """
    run = store.run(run_name)
    common = store.flag + (" --force" if force else "")  # what all but `kd plot` take
    named = "" if run_name == recipe.dataset else f" --run {run_name}"
    given = f" --source {shlex.quote(str(files))}" if files else ""
    drawn = "" if file_format == "png" else f" --format {file_format}"
    joins = False
    if run.recipe_path.is_file():
        own = run_recipe(run)
        joins = own != recipe and (own.data, own.teacher) == (recipe.data, recipe.teacher)
    taken = f"--recipe {shlex.quote(source)}"
    made_from = recipe.dataset if joins or source == recipe.dataset else taken
    return [
        Step(
            f"kd gen-data {made_from}{given}{named}{common}",
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
        Step(f"kd train-teacher{common}", lambda: train_teacher(run, {}, force=force, watch=watch)),
        Step(
            "kd distill" + (f" {taken}" if joins else "") + common,
            lambda: distill(run, {}, students=recipe.students if joins else None, force=force, watch=watch),
        ),
        Step(f"kd plot{drawn}{store.flag}", lambda: plot(run, file_format=file_format)),
    ]


def summarise(store: Store, distilled: Distilled) -> Summary:
    """Collect the table of a run from its artefacts and the students that were just distilled."""
    run = store.run(distilled.run)
    data, teacher = load_data(run), load_teacher(run)
    recorded = data.artefact.meta().metrics
    return Summary(
        run=run.name,
        path=run.path,
        dataset=data.dataset,
        n_test=recorded["n_test"],
        optimum=recorded["bayes"],
        bayes=data.bayes_scores(),
        teacher_model=str(teacher.model),
        teacher=dict(teacher.metrics),
        students=distilled.students,
        intervals=[_interval(run, data, students) for students in distilled.students],
    )


def _interval(run: Run, data: Data, students: SetMade) -> Estimate:
    stored = load_students(run.artefact(f"students/{students.name}"))
    return crossed_mean(hits(stored.load_tested(), data.splits["test"].y))
