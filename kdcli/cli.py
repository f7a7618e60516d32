"""The command line: one thin function per command; here errors become messages and exit codes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.completion import completion_init, install_callback, show_callback  # type: ignore[attr-defined]

from kdcli import __version__, show
from kdcli import options as o
from kdcli.errors import KdError, UsageError
from kdcli.recipe import Recipe, builtin, load
from kdcli.store import NAME, Run, Store

INTERRUPTED = 130
COMMANDS = (
    "gen-data",
    "train-teacher",
    "distill",
    "plot",
    "compare",
    "run",
    "show",
    "runs",
    "check",
    "delete",
)

app = typer.Typer(
    name="kd",
    epilog="Example: kd run gaussians",
    no_args_is_help=True,
    # Declared at `kd` below instead: Typer's own options are converted by pydantic even where they are
    # not given, and importing it takes longer than the rest of a help page.
    add_completion=False,
    add_help_option=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

completion_init()


def _help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        print(context.get_help())
        raise typer.Exit


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kd {__version__}")
        raise typer.Exit


@app.callback()
def kd(
    show_help: Annotated[
        bool, typer.Option("--help", "-h", help="show this page", callback=_help, is_eager=True)
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
    """Work on a run while no other kd does."""

    def waiting() -> None:
        screen.hint(f"another kd is working on run {run.name}; waiting for it to finish")

    with run.locked(wait=not no_wait, waiting=waiting) as leftovers:
        if leftovers:
            screen.hint(f"cleared up after a command that was cut off: {', '.join(leftovers)}")
        yield run


def _run_name(source: str, given: str | None) -> str:
    """Return the name of a recipe's run: the one given, the recipe's own, or that of its file."""
    name = given or (Path(source).stem if source.endswith(".toml") else source)
    if given is None and not NAME.fullmatch(name):
        raise UsageError(f"the file name '{name}' cannot name a run", "name the run with --run NAME")
    return name


def _recipe_for_data(
    store: Store, dataset: str | None, source: str | None, run: str | None
) -> tuple[Recipe, str]:
    """Return the recipe that gen-data starts from, and its run's name.

    That is --recipe if given, else the recipe of the run if it is there, else the dataset's.
    """
    from kdcli.data import find_dataset
    from kdcli.stages.artefacts import run_recipe

    if source is None:
        name = run or dataset or "gaussians"
        if dataset is not None:
            find_dataset(dataset)
        place = store.run(name)
        if not place.recipe_path.is_file():
            return builtin(dataset or "gaussians"), name
        recipe, source = run_recipe(place), f"of run {name}"
    else:
        recipe, name = load(source), _run_name(source, run)
    if dataset is not None and dataset != recipe.dataset:
        raise UsageError(
            f"the recipe {source} is for the dataset {recipe.dataset}, not {dataset}",
            "leave out the dataset, or give the run another name with --run NAME",
        )
    return recipe, name


@app.command("gen-data", epilog="Example: kd gen-data gaussians --n-samples 500 --run small")
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
            store,
            chosen,
            run_name=name,
            options=given,
            adopt=recipe is not None,
            force=force,
            source=source,
            bar=screen.download,
        )
    show.data_made(screen, made)


@app.command("train-teacher", epilog="Example: kd train-teacher --model mlp:64,64 --epochs 500")
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
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Train the run's teacher on the labels; stores its checkpoint, logits and learning curves."""
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
        made = stage(place, given, force=force, watch=screen.training)
    show.teacher_trained(screen, made)


@app.command("distill", epilog="Example: kd distill --target hard,bayes,soft --temperature 1,4")
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
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Train students on one or more targets, all seeds and all targets together."""
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
        made = stage(
            place,
            given,
            students=students,
            name=name,
            force=force,
            keep_going=keep_going,
            watch=screen.training,
        )
    show.distilled(screen, made)


@app.command("plot", epilog="Example: kd plot learning-curves --format svg")
def plot(
    figures: o.FigureNames = None,
    model: o.ShownModels = None,
    file_format: o.FigureFormat = "png",
    show_figures: o.ShowFigures = False,
    run: o.RunName = None,
    outputs: o.Outputs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Draw the run's figures from its artefacts."""
    from kdcli.stages.plot import plot as stage

    screen = show.Screen(quiet, as_json)
    models = o.split_models(model) or ()
    with _alone(_open(outputs, run), screen, no_wait) as place:
        made = stage(place, figures or (), models=models, file_format=file_format)
    show.plotted(screen, made)
    if show_figures:
        for path in made.figures:
            typer.launch(str(path))


@app.command("compare", epilog="Example: kd compare --metric brier --control hard")
def compare(
    metric: o.MetricNames = None,
    control: o.Control = None,
    unpaired: o.Unpaired = False,
    model: o.ComparedModels = None,
    as_csv: o.AsCsv = False,
    run: o.RunName = None,
    outputs: o.Outputs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Tell with an interval whether distillation helped: every student set against its control."""
    if as_csv and as_json:
        raise UsageError("--csv and --json are two documents", "choose one of them")
    from kdcli.stages.compare import compare as stage

    screen = show.Screen(quiet, as_json)
    with _alone(_open(outputs, run), screen, no_wait) as place:
        made = stage(
            place,
            models=o.split_models(model) or (),
            metrics=o.split_names(metric) or (),
            control=control,
            unpaired=unpaired,
        )
    if as_csv:
        print(show.as_csv(made), end="")
    else:
        show.compared(screen, made)


@app.command("run", epilog="Example: kd run gaussians")
def run(
    recipe: o.RecipeArgument = "gaussians",
    source: o.Source = None,
    run_name: o.NewRunName = None,
    file_format: o.FigureFormat = "png",
    outputs: o.Outputs = None,
    force: o.Force = False,
    keep_going: o.KeepGoing = False,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Run all stages of a recipe in one process, naming the single commands; ends with the comparison."""
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
        store,
        chosen,
        source=recipe,
        run_name=name,
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
            lines.say(f"$ {step.command}")
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
                    commands = [step.command for step in stages]
                    show.compared(screen, made, commands=commands, figures=figures)
            lines.say()


@app.command("show", epilog="Example: kd show --run gaussians")
def show_run(
    run: o.RunName = None,
    outputs: o.Outputs = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Show what a run holds, in what state it is, and the commands that mend what is not fresh."""
    from kdcli.stages.show_run import show_run as stage

    show.run_shown(show.Screen(quiet, as_json), stage(_open(outputs, run)))


@app.command("runs", epilog="Example: kd runs --outputs elsewhere")
def runs(outputs: o.Outputs = None, as_json: o.AsJson = False, quiet: o.Quiet = False) -> None:
    """List the runs of the outputs folder."""
    from kdcli.stages.list_runs import list_runs as stage

    show.runs_listed(show.Screen(quiet, as_json), stage(Store(outputs)))


@app.command("check", epilog="Example: kd check --run gaussians")
def check(
    run: o.CheckedRunName = None,
    outputs: o.Outputs = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Check every file against its digest, of all runs or one; exit code 1 if anything is damaged."""
    from kdcli.stages.check import check as stage

    made = stage(Store(outputs), run)
    show.checked(show.Screen(quiet, as_json), made)
    if made.damaged:
        raise typer.Exit(1)


@app.command("delete", epilog="Example: kd delete gaussians --yes")
def delete(
    run: o.DeletedRunName,
    yes: o.Yes = False,
    outputs: o.Outputs = None,
    no_wait: o.NoWait = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Delete a run with all that it holds, after asking."""
    from kdcli.stages.delete_run import delete_run as stage
    from kdcli.stages.delete_run import to_delete, weigh

    screen = show.Screen(quiet, as_json)
    place = to_delete(Store(outputs), run)
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError(
                f"run {run} is deleted only after asking, and there is nobody to ask here",
                f"`kd delete {run} --yes{place.store.flag}` deletes it without asking",
            )
        if not typer.confirm(show.to_be_deleted(screen, weigh(place)), err=True):
            screen.say("nothing was deleted")
            raise typer.Exit(1)
    with _alone(place, screen, no_wait):
        made = stage(weigh(place))
    show.run_deleted(screen, made)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run kd and exit: 0 done, 1 the command could not do it, 2 wrong usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    code: Any
    try:
        code = app(given, prog_name="kd", standalone_mode=False)
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
    sys.exit(code or 0)
