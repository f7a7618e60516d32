"""The commands that make runs, studies and their artefacts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from kdcli.cli.app import App
from kdcli.cli.calls import Call, Source, is_path, recipe_for_data, run_name, source_of
from kdcli.cli.options import COMPUTE, STORE, WORK
from kdcli.commands import spell
from kdcli.data import DATASETS
from kdcli.errors import Command, UsageError
from kdcli.report import Screen
from kdcli.runs.recipe import Students, Teacher
from kdcli.runs.recipes import load
from kdcli.store import StudyFolder
from kdcli.workers import jobs

if TYPE_CHECKING:
    from kdcli.runs.experiment import Experiment
    from kdcli.runs.studies import Study
    from kdcli.stages.run import Step
    from kdcli.sweeps.sweep import Engine

app = App()

EXPORT = Command("export")

DATA = {name: dataset.config for name, dataset in DATASETS.items()}  # classes of a recipe's data section


@app.add(
    "run",
    *("any_recipe", "source", "teacher_source", "id_column", "logits", "trust_order", "seeds", "file_format"),
    *("new_run", "force", "keep_going", "jobs", *WORK),
    settings=DATA,
    examples=("kd run", "kd run mine.toml --draws 20", "kd run customers.csv --label churned"),
)
def run(call: Call) -> None:
    """Run every stage on a recipe or your own data, print the command for each, and end with the verdict."""
    source = _source_of_run(call)
    with call.working_on(call.run_to_make(source.name)) as experiment:
        _take(_steps(call, experiment, source), call.screen)


def _source_of_run(call: Call) -> Source:
    named, given = call.options.any_recipe, call.options.new_run
    if is_path(named):
        return source_of(named, given, lambda run: None)
    return Source(load(named), {}, run_name(named, given), call.options.source)


def _steps(call: Call, experiment: "Experiment", source: Source) -> "Sequence[Step]":
    from kdcli.stages.run import WholeRun, with_teacher

    existing = call.passed("id_column", "logits", "trust_order")
    teacher = {key: value for key, value in existing.items() if value}
    teacher |= {"source": call.options.teacher_source} if call.options.teacher_source else {}
    whole = WholeRun(
        experiment,
        with_teacher(source.recipe, teacher),
        source=call.options.any_recipe,
        teacher=teacher,
        files=source.files,
        settings={**source.settings, **call.settings},
        given=call.settings,
        watch=call.screen.watch,
        bar=call.screen.download,
        **call.passed("seeds", "force", "keep_going", "file_format"),
    )
    return whole.steps()


def _take(steps: "Sequence[Step]", screen: Screen) -> None:
    """Run the steps; print before each the command that does the same, and after it the result."""
    lines = Screen(screen.quiet or screen.as_json)
    documents = {}
    for step in steps:
        lines.say(f"$ {spell(step.command)}")
        result = step.call()
        lines.show(result)
        lines.say()
        documents[step.command.name] = result.document()
    commands = [spell(step.command) for step in steps]
    lines.hint((Command("report"), " puts all of it into one HTML file to share."))
    lines.hint(
        (Command("choose"), " finds the smallest good student; ", EXPORT, " writes a student to a file.")
    )
    figures = documents["plot"]["figures"]
    screen.document({**documents["compare"], "commands": commands, "figures": figures})


@app.add(
    "sweep",
    *("sweep_file", "study", "dry_run", "engine", "address", "shard", "merge", "reproducible", "jobs"),
    *STORE,
    examples=("kd sweep noise.toml --jobs 4", "kd sweep moons-noise --dry-run", "kd sweep FILE --shard 3/16"),
)
def sweep(call: Call) -> None:
    """Make a study: many runs that differ in the settings a file varies. Finished runs are reused."""
    from kdcli.sweeps.merging import merge
    from kdcli.sweeps.order import shard_of
    from kdcli.sweeps.sweep import look
    from kdcli.sweeps.sweep import sweep as stage

    options = call.options
    study = _study(call)
    if options.merge and (options.shard or options.dry_run):
        raise UsageError("--merge collects finished runs and makes none", "leave out --shard and --dry-run")
    if options.dry_run:
        call.screen.show(look(study, jobs=options.jobs or jobs(), shard=options.shard))
        return
    if options.merge:
        merged = merge(study, options.merge)
        call.screen.show(merged)
        if merged.missing:
            raise typer.Exit(1)
        return
    total = len(shard_of(study.runs, options.shard) if options.shard else study.runs)
    with call.screen.runs(total) as progress:
        made = stage(study, _engine(call), shard=options.shard, progress=progress)
    call.screen.show(made)
    if made.failures:
        raise typer.Exit(1)


def _engine(call: Call) -> "Engine":
    """Return the engine that makes the runs of a sweep."""
    from kdcli.sweeps import local, on_dask

    options = call.options
    if options.engine == "dask":
        return on_dask.engine(options.address)
    if options.address:
        raise UsageError("--address needs --engine dask", "add --engine dask, or leave out --address")
    return local.engine(options.jobs or jobs())


def _study(call: Call) -> "Study":
    """Return the study that a command line asks for."""
    from kdcli.runs.studies import Study

    source = call.options.sweep_file
    folder = StudyFolder(call.store, call.options.study or run_name(source, None))
    return Study.planned(folder, source, call.options.reproducible)


@app.add(
    "gen-data",
    *("dataset", "source", "dry_run", "recipe", "new_run", "force", *WORK),
    settings=DATA,
    examples=(
        "kd gen-data gaussians --n-samples 500 --run small",
        "kd gen-data customers.csv --label churned --dry-run",
        "kd gen-data mnist --source FOLDER",
    ),
)
def gen_data(call: Call) -> None:
    """Sample or load a dataset, split it and store it in a run, which becomes the current one."""
    from kdcli.stages.gen_data import gen_data as stage
    from kdcli.stages.gen_data import look

    source = recipe_for_data(call)
    settings = {**source.settings, **call.settings}
    if call.options.dry_run:
        call.screen.show(look(source.recipe, settings, call.screen.watch))
        return
    with call.working_on(call.run_to_make(source.name)) as experiment:
        made = stage(
            experiment,
            source.recipe,
            settings,
            adopt=call.options.recipe is not None,
            source=source.files or call.options.source,
            bar=call.screen.download,
            watch=call.screen.watch,
            **call.passed("force"),
        )
    call.screen.show(made)


@app.add(
    "train-teacher",
    *("force", *COMPUTE),
    settings={"teacher": Teacher},
    examples=(
        "kd train-teacher",
        "kd train-teacher --epochs 500 --learning-rate 0.003",
        "kd train-teacher --model mlp:64,64 --ensemble 5 --force",
    ),
)
def train_teacher(call: Call) -> None:
    """Train the run's teacher on the labels, and store its parameters, logits and learning curves."""
    from kdcli.stages.train_teacher import train_teacher as stage

    with call.working_on(call.store.existing_run(call.options.run)) as experiment:
        made = stage(experiment, call.settings, force=call.options.force, watch=call.screen.watch)
    call.screen.show(made)


@app.add(
    "distill",
    *("name", "student_recipe", "teacher_source", "force", "keep_going", *COMPUTE),
    settings={"students": Students},
    examples=(
        "kd distill",
        "kd distill --target hard,bayes,soft --temperature 1,4",
        "kd distill --model mlp:4,tree:max_depth=3 --seeds 5",
    ),
)
def distill(call: Call) -> None:
    """Train students on one or more targets, all seeds and targets at the same time."""
    from kdcli.runs.edits import notes
    from kdcli.runs.kinds import TEACHER
    from kdcli.stages.distill import distill as stage

    options, screen = call.options, call.screen
    students = load(options.student_recipe).students if options.student_recipe else None
    with call.working_on(call.store.existing_run(options.run)) as experiment:
        for note in notes(experiment, [TEACHER]):
            screen.hint(note)
        passed = call.passed("name", "force", "keep_going")
        source = call.options.teacher_source
        made = stage(
            experiment, call.settings, students=students, source=source, watch=screen.watch, **passed
        )
    screen.show(made)
