"""The command line: one thin function per command; here errors become messages and exit codes."""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.completion import completion_init, install_callback, show_callback  # type: ignore[attr-defined]
from typer.core import TyperOption

from kdcli import help as pages
from kdcli import options as o
from kdcli import report as show
from kdcli import workers
from kdcli.errors import Command as KdCommand
from kdcli.errors import KdError, UsageError
from kdcli.runs.recipe import Recipe, builtin, load
from kdcli.store import NAME, Run, Store, named_run
from kdcli.version import __version__

F = TypeVar("F", bound=Callable[..., Any])

INTERRUPTED = 130
GARBAGE = 100_000  # objects made before the collector looks again: imports make that many, and no garbage
COMMANDS = (
    "run",
    "gen-data",
    "train-teacher",
    "distill",
    "plot",
    "compare",
    "show",
    "runs",
    "check",
    "delete",
    "use",
    "recipe",
)


class Command(pages.HelpCommand):
    """A command that refuses an option with one value that is given twice, rather than take the last."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line as Typer does; raises `UsageError` for an option that is given twice."""
        rest: list[str] = super().parse_args(ctx, list(args))
        if not ctx.resilient_parsing:  # else it is being completed
            _, _, given = self.make_parser(ctx).parse_args(list(args))
            for option in self.params:
                single = isinstance(option, TyperOption) and not (option.is_flag or option.multiple)
                if single and given.count(option) > 1:
                    raise UsageError(
                        f"{option.opts[0]} is given {given.count(option)} times, and takes one value",
                        f"keep one of them; see `{ctx.command_path} --help`",
                    )
        return rest


class App(typer.Typer):
    """A Typer app whose commands are of the class `Command`."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        """Declare a command."""
        return super().command(name, cls=Command, **settings)


app = App(
    name="kd",
    cls=pages.HelpGroup,
    epilog="kd run\nkd run moons\nkd distill --help",
    # Declared at `kd` below instead: Typer's own options are converted by pydantic even where they are
    # not given, and importing it takes longer than the rest of a help page.
    add_completion=False,
    add_help_option=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

completion_init()


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kd {__version__}")
        raise typer.Exit


@app.callback()
def kd(
    show_help: Annotated[
        bool, typer.Option("--help", "-h", help="show this page", callback=pages.show_page, is_eager=True)
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="print the version", callback=_version, is_eager=True)
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion", help="set up completion in this shell", callback=install_callback
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion", help="print this shell's completion script", callback=show_callback
        ),
    ] = False,
) -> None:
    """Distil knowledge in the terminal: from data to a distilled student, with the evidence."""


def _open(outputs: Path | None, name: str | None) -> Run:
    return Store(outputs).existing_run(name)


@contextmanager
def _alone(run: Run, screen: show.Screen, no_wait: bool) -> Iterator[Run]:
    """Say which run it is, and work on it while no other kd does."""

    def waiting() -> None:
        screen.hint(f"another kd is working on run {run.name}; waiting for it to finish")

    screen.working_on(run)
    with run.locked(wait=not no_wait, waiting=waiting) as leftovers:
        if leftovers:
            screen.hint(f"cleared up after a command that was cut off: {', '.join(leftovers)}")
        yield run


def _run_name(source: str, given: str | None) -> str:
    """Return the name of a recipe's run: the one given, KD_RUN's, the recipe's own, or that of its file."""
    given = given or named_run()
    name = given or (Path(source).stem if source.endswith(".toml") else source)
    if given is None and not NAME.fullmatch(name):
        raise UsageError(f"the file name '{name}' cannot name a run", "name the run with --run NAME")
    return name


def _recipe_for_data(
    store: Store, dataset: str | None, source: str | None, run: str | None
) -> tuple[Recipe, str]:
    """Return the recipe that gen-data starts from, and its run's name.

    That is --recipe if given, else the recipe of the run if it is there, else the dataset's. The run is the
    one that --run or KD_RUN names, or that of the recipe or the dataset.
    """
    from kdcli.data import find_dataset
    from kdcli.runs.experiment import Experiment

    if source is None:
        name = run or named_run() or dataset or "gaussians"
        if dataset is not None:
            find_dataset(dataset)
        place = store.run(name)
        if not place.recipe_path.is_file():
            return builtin(dataset or "gaussians"), name
        recipe, source = Experiment.open(place).recipe, f"of run {name}"
    else:
        recipe, name = load(source), _run_name(source, run)
    if dataset is not None and dataset != recipe.dataset:
        raise UsageError(
            f"the recipe {source} is for the dataset {recipe.dataset}, not {dataset}",
            "leave out the dataset, or give the run another name with --run NAME",
        )
    return recipe, name


@app.command(
    "gen-data",
    epilog="""
kd gen-data gaussians
kd gen-data gaussians --n-samples 500 --run small
kd gen-data mnist --source FOLDER
    """,
)
def gen_data(
    dataset: o.DatasetName = None,
    source: o.Source = None,
    recipe: o.RecipeName = None,
    n_samples: o.NSamples = None,
    separation: o.Separation = None,
    noise: o.Noise = None,
    val_fraction: o.ValFraction = None,
    n_val: o.NVal = None,
    n_test: o.NTest = None,
    seed: o.DataSeed = None,
    run: o.NewRunName = None,
    outputs: o.Outputs = None,
    force: o.Force = False,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Sample or load a dataset, split it and store its tensors; makes the run and makes it current."""
    from kdcli.runs.experiment import Experiment
    from kdcli.stages.gen_data import gen_data as stage

    store = Store(outputs)
    chosen, name = _recipe_for_data(store, dataset, recipe, run)
    given = {
        "n_samples": n_samples,
        "separation": separation,
        "noise": noise,
        "val_fraction": val_fraction,
        "n_val": n_val,
        "n_test": n_test,
        "seed": seed,
    }
    screen = show.Screen(quiet, as_json)
    with _alone(store.run(name), screen, no_wait):
        made = stage(
            Experiment.open(store.run(name)),
            chosen,
            given,
            adopt=recipe is not None,
            force=force,
            source=source,
            bar=screen.download,
        )
    show.data_made(screen, made)


@app.command(
    "train-teacher",
    epilog="""
kd train-teacher
kd train-teacher --epochs 500 --learning-rate 0.003
kd train-teacher --model mlp:64,64 --force
    """,
)
def train_teacher(
    model: o.TeacherModel = None,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    learning_rate: o.LearningRate = None,
    seed: o.TeacherSeed = None,
    schedule: o.Schedule = None,
    precision: o.Precision = None,
    device: o.Device = None,
    run: o.RunName = None,
    outputs: o.Outputs = None,
    force: o.Force = False,
    jobs: o.Jobs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Train the run's teacher on the labels; stores its checkpoint, logits and learning curves."""
    workers.allow(jobs)
    from kdcli.runs.experiment import Experiment
    from kdcli.stages.train_teacher import train_teacher as stage

    given = {
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "schedule": schedule,
        "precision": precision,
        "device": device,
    }
    screen = show.Screen(quiet, as_json)
    with _alone(_open(outputs, run), screen, no_wait) as place:
        made = stage(Experiment.open(place), given, force=force, watch=screen.training)
    show.teacher_trained(screen, made)


@app.command(
    "distill",
    epilog="""
kd distill
kd distill --target hard,bayes,soft --temperature 1,4
kd distill --model mlp:4,tree:max_depth=3 --seeds 5
    """,
)
def distill(
    target: o.TargetNames = None,
    temperature: o.Temperatures = None,
    transfer_size: o.TransferSize = None,
    smoothing: o.Smoothing = None,
    label_weight: o.LabelWeight = None,
    model: o.StudentModels = None,
    seeds: o.Seeds = None,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    learning_rate: o.LearningRate = None,
    name: o.SetName = None,
    recipe: o.StudentRecipe = None,
    run: o.RunName = None,
    outputs: o.Outputs = None,
    force: o.Force = False,
    keep_going: o.KeepGoing = False,
    jobs: o.Jobs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Train students on one or more targets, all seeds and all targets together."""
    workers.allow(jobs)
    from kdcli.runs.edits import notes
    from kdcli.runs.experiment import Experiment
    from kdcli.stages.distill import distill as stage

    given: dict[str, Any] = {
        "targets": o.split_names(target),
        "temperatures": o.split_numbers(temperature, "--temperature"),
        "transfer_size": transfer_size,
        "smoothing": smoothing,
        "label_weight": label_weight,
        "models": o.split_models(model),
        "seeds": seeds,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }
    screen = show.Screen(quiet, as_json)
    students = load(recipe).students if recipe else None
    with _alone(_open(outputs, run), screen, no_wait) as place:
        experiment = Experiment.open(place)
        for note in notes(experiment, ["teacher"]):
            screen.hint(note)
        made = stage(
            experiment,
            given,
            students=students,
            name=name,
            force=force,
            keep_going=keep_going,
            watch=screen.training,
        )
    show.distilled(screen, made)


@app.command(
    "plot",
    epilog="""
kd plot
kd plot learning-curves --format svg
kd plot --model mlp:4 --show
    """,
)
def plot(
    figures: o.FigureNames = None,
    model: o.ShownModels = None,
    file_format: o.FigureFormat = "png",
    show_figures: o.ShowFigures = False,
    run: o.RunName = None,
    outputs: o.Outputs = None,
    jobs: o.Jobs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Draw the run's figures from its artefacts."""
    workers.allow(jobs)
    from kdcli.runs.edits import notes
    from kdcli.runs.experiment import Experiment
    from kdcli.stages.plot import plot as stage

    screen = show.Screen(quiet, as_json)
    models = o.split_models(model) or ()
    with _alone(_open(outputs, run), screen, no_wait) as place:
        experiment = Experiment.open(place)
        for note in notes(
            experiment, ["data", "teacher", *(sets.name for sets in place.artefacts("students"))]
        ):
            screen.hint(note)
        made = stage(experiment, figures or (), models=models, file_format=file_format)
    show.plotted(screen, made)
    if show_figures:
        for path in made.figures:
            typer.launch(str(path))


@app.command(
    "compare",
    epilog="""
kd compare
kd compare --metric brier --control hard
kd compare --csv
    """,
)
def compare(
    run: o.RunArgument = None,
    metric: o.MetricNames = None,
    control: o.Control = None,
    unpaired: o.Unpaired = False,
    model: o.ComparedModels = None,
    as_csv: o.AsCsv = False,
    run_option: o.RunName = None,
    outputs: o.Outputs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Tell with an interval whether distillation helped: every student set against its control."""
    if as_csv and as_json:
        raise UsageError("--csv and --json are two documents", "choose one of them")
    from kdcli.runs.experiment import Experiment
    from kdcli.stages.compare import compare as stage

    screen = show.Screen(quiet, as_json)
    with _alone(_open(outputs, o.one_run(run, run_option)), screen, no_wait) as place:
        made = stage(
            Experiment.open(place),
            models=o.split_models(model) or (),
            metrics=o.split_names(metric) or (),
            control=control,
            unpaired=unpaired,
        )
    if as_csv:
        print(show.as_csv(made), end="")
    else:
        show.compared(screen, made)


@app.command(
    "run",
    epilog="""
kd run
kd run digits --run first
kd run mine.toml --keep-going
    """,
)
def run(
    recipe: o.RecipeArgument = "gaussians",
    source: o.Source = None,
    run_name: o.NewRunName = None,
    file_format: o.FigureFormat = "png",
    outputs: o.Outputs = None,
    force: o.Force = False,
    keep_going: o.KeepGoing = False,
    jobs: o.Jobs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Run all stages of a recipe in one process, naming the single commands; ends with the comparison."""
    workers.allow(jobs)
    from kdcli.commands import spell
    from kdcli.runs.experiment import Experiment
    from kdcli.stages.compare import Compared
    from kdcli.stages.distill import Distilled
    from kdcli.stages.gen_data import DataMade
    from kdcli.stages.plot import Plotted, check_format
    from kdcli.stages.run import steps
    from kdcli.stages.train_teacher import TeacherTrained

    chosen, name = load(recipe), _run_name(recipe, run_name)
    check_format(file_format)
    screen = show.Screen(quiet, as_json)
    store = Store(outputs)
    stages = steps(
        Experiment.open(store.run(name)),
        chosen,
        source=recipe,
        files=source,
        force=force,
        keep_going=keep_going,
        file_format=file_format,
        watch=screen.training,
        bar=screen.download,
    )
    lines = show.Screen(quiet or as_json)
    with _alone(store.run(name), screen, no_wait):
        for step in stages:
            lines.say(f"$ {spell(step.command)}")
            match step.call():
                case DataMade() as made:
                    show.data_made(lines, made)
                case TeacherTrained() as made:
                    show.teacher_trained(lines, made)
                case Distilled() as made:
                    show.distilled(lines, made, table=False)
                case Plotted() as made:
                    show.plotted(lines, made)
                    figures = made.figures
                case Compared() as made:
                    commands = [spell(step.command) for step in stages]
                    show.compared(screen, made, commands=commands, figures=figures)
            lines.say()


@app.command(
    "show",
    epilog="""
kd show
kd show gaussians
kd show --json
    """,
)
def show_run(
    run: o.RunArgument = None,
    run_option: o.RunName = None,
    outputs: o.Outputs = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Show what a run holds, in what state it is, and the commands that mend what is not fresh."""
    from kdcli.runs.experiment import Experiment
    from kdcli.stages.show import show_run as stage

    show.run_shown(
        show.Screen(quiet, as_json), stage(Experiment.open(_open(outputs, o.one_run(run, run_option))))
    )


@app.command(
    "runs",
    epilog="""
kd runs
kd runs --outputs elsewhere
kd runs --json
    """,
)
def runs(outputs: o.Outputs = None, as_json: o.AsJson = False, quiet: o.Quiet = False) -> None:
    """List the runs of the outputs folder."""
    from kdcli.stages.runs import list_runs as stage

    show.runs_listed(show.Screen(quiet, as_json), stage(Store(outputs)))


@app.command(
    "check",
    epilog="""
kd check
kd check gaussians
kd check --json
    """,
)
def check(
    run: o.CheckedRunArgument = None,
    run_option: o.CheckedRunName = None,
    outputs: o.Outputs = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Check every file of all runs or one against its digest; exit code 1 unless all is as kd wrote it."""
    from kdcli.stages.check import check as stage

    made = stage(Store(outputs), o.one_run(run, run_option))
    show.checked(show.Screen(quiet, as_json), made)
    if made.damaged or made.newer:
        raise typer.Exit(1)


@app.command(
    "delete",
    epilog="""
kd delete gaussians
kd delete gaussians --yes
kd delete small --outputs elsewhere
    """,
)
def delete(
    run: o.DeletedRunArgument = None,
    run_option: o.DeletedRunName = None,
    yes: o.Yes = False,
    outputs: o.Outputs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Delete a run with all that it holds, after asking."""
    from kdcli.stages.delete import delete_run as stage
    from kdcli.stages.delete import to_delete, weigh

    screen = show.Screen(quiet, as_json)
    name = o.one_run(run, run_option)
    if name is None:
        raise UsageError(
            "no run is named to be deleted", ("name it, such as ", KdCommand("delete", ("gaussians",)))
        )
    place = to_delete(Store(outputs), name)
    if not yes:
        if as_json or not show.asks():
            raise UsageError(
                f"run {name} is deleted only after asking, and there is nobody to ask here",
                (Store(outputs).command("delete", name, yes=True), " deletes it without asking"),
            )
        if not screen.confirmed(show.to_be_deleted(screen, weigh(place))):
            screen.say("nothing was deleted")
            raise typer.Exit(1)
    with _alone(place, screen, no_wait):
        made = stage(weigh(place))
    show.run_deleted(screen, made)


@app.command(
    "use",
    epilog="""
kd use gaussians
kd use gaussians --quiet
kd use small --outputs elsewhere
    """,
)
def use(
    run: o.UsedRunArgument,
    outputs: o.Outputs = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Make a run the current one, which commands work on unless --run or KD_RUN names another."""
    from kdcli.stages.use import use as stage

    show.run_used(show.Screen(quiet, as_json), stage(Store(outputs), run))


@app.command(
    "recipe",
    epilog="""
kd recipe
kd recipe moons
kd recipe mnist-few > mine.toml
    """,
)
def recipe(
    name: o.ShownRecipe = "gaussians",
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Print a recipe with every key, its meaning, range and default, as a file to start from."""
    from kdcli.stages.recipe import recipe as stage

    show.recipe_shown(show.Screen(quiet, as_json), stage(name))


def _refuse_empty(given: Sequence[str]) -> None:
    """Raise `UsageError` for an empty argument: an unset variable of a script, never what is meant."""
    for before, word in pairwise(["", *given]):
        option, equals, value = word.partition("=") if word.startswith("--") else (before, "=", word)
        if equals and not value:
            what = f"{option} is" if option.startswith("-") else "one of the arguments is"
            raise UsageError(f"{what} empty", "leave it out, or give it a value")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run kd and exit: 0 done, 1 the command could not do it, 2 wrong usage, 130 interrupted.

    The exit code is 141 if the reader of the output went away, as of a program that SIGPIPE ends.
    """
    workers.compute_on_one_thread()
    gc.set_threshold(GARBAGE)
    given = list(sys.argv[1:] if arguments is None else arguments)
    with show.outlets():
        try:
            code = _outcome(given)
            show.flush()
        except show.OutputError as error:
            show.error(error, as_json=False)
            code = error.exit_code
    sys.exit(code)


def _outcome(given: list[str]) -> int:
    """Run a command line, report what went wrong, and return the exit code."""
    as_json = "--json" in given
    code: Any
    try:
        _refuse_empty(given)
        code = app(given or ["--help"], prog_name="kd", standalone_mode=False)
        if not given:
            code = UsageError.exit_code
    except show.OutputError:
        raise
    except KdError as error:
        if not error.hint:
            command = next((word for word in given if word in COMMANDS), "")
            error.hint = f"see `kd {command} --help`".replace("  ", " ")
        show.error(error, as_json=as_json)
        code = error.exit_code
    except typer.TyperException as error:  # what Typer itself finds wrong with the arguments
        # Only usage errors know the command they came from.
        command = getattr(getattr(error, "ctx", None), "command_path", "kd")
        show.error(UsageError(error.format_message(), f"see `{command} --help`"), as_json=as_json)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        message = "interrupted; what was finished is kept"
        show.error(
            KdError(
                message, "run the same command again: it goes on from there, a training from its last state"
            ),
            as_json=as_json,
        )
    return code or 0
