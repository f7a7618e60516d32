"""Option types shared by the commands; ranges, wording and choices come from the library."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from kdcli import workers
from kdcli.data import DATASETS
from kdcli.data.dataset import Sampling
from kdcli.data.gaussians import Gaussians
from kdcli.data.mnist import MNIST
from kdcli.data.moons import Moons
from kdcli.errors import KdError, UsageError
from kdcli.figures import FIGURES, FORMATS
from kdcli.metrics import METRICS
from kdcli.models import FAMILIES, SYNTAX
from kdcli.runs.recipe import DEVICES, PRECISIONS, SCHEDULES, Students, Teacher, builtin_names
from kdcli.settings import flag, rules
from kdcli.store import Run, Store
from kdcli.targets import TARGETS


def _setting(
    config: type, key: str, *short: str, note: str = "", completion: Any = None, metavar: str | None = None
) -> Any:
    """Make the option of a setting, with its own help, range and default."""
    rule = rules(config)[key]
    words = f"{rule.help} ({rule.allowed})" if rule.allowed else rule.help
    default = next(field.default for field in fields(config) if field.name == key)
    listed = ",".join(map(_shown, default)) if isinstance(default, tuple) else _shown(default)
    return typer.Option(
        flag(config, key),
        *short,
        help=words + note,
        autocompletion=completion,
        metavar=metavar,
        show_default=f"recipe, else {listed}",
    )


def _shown(default: Any) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


Words = Callable[[typer.Context], Iterable[str]]


def _starting(words: Words) -> Callable[[typer.Context, str], list[str]]:
    """Complete one word. Completion never fails: where it cannot read a run it offers nothing."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        with suppress(KdError):
            return [word for word in words(context) if word.startswith(incomplete)]
        return []

    return complete


def _listing(
    words: Words, split: Callable[[list[str]], tuple[str, ...] | None]
) -> Callable[[typer.Context, str], list[str]]:
    """Complete the last word of a comma-separated list with one that the list does not have yet."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        with suppress(KdError):
            offered = list(words(context))
            # A model has commas of its own, so what is typed may be one word, or a list and a word.
            starts = {0, *(match.end() for match in re.finditer(",", incomplete))}
            return [
                incomplete[:start] + word
                for start in sorted(starts)
                for word in offered
                if word.startswith(incomplete[start:]) and word not in (split([incomplete[:start]]) or ())
            ]
        return []

    return complete


def _run_here(context: typer.Context) -> Run:
    """Return the run that a command being completed works on."""
    return Store(context.params.get("outputs")).existing_run(context.params.get("run"))


def _run_names(context: typer.Context) -> list[str]:
    return Store(context.params.get("outputs")).runs()


def _sets(context: typer.Context) -> list[str]:
    return [students.path.name for students in _run_here(context).artefacts("students")]


def _models_here(context: typer.Context) -> list[str]:
    """Return the models of the run's student sets."""
    sets = [students for students in _run_here(context).artefacts("students") if students.finished]
    return list(dict.fromkeys(students.meta().config["model"] for students in sets))


def _student_models(context: typer.Context) -> list[str]:
    """Return the models of the run's student sets, and an example of each family."""
    here: list[str] = []
    with suppress(KdError):
        here = _models_here(context)
    return list(dict.fromkeys([*here, *(family.EXAMPLE for family in FAMILIES.values())]))


def _recipes(_context: typer.Context) -> list[str]:
    return [*builtin_names(), *sorted(str(path) for path in Path().glob("*.toml"))]


def split_names(values: list[str] | None) -> tuple[str, ...] | None:
    """Split the values of an option that may be repeated or comma-separated."""
    if not values:
        return None
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def split_models(values: list[str] | None) -> tuple[str, ...] | None:
    """Split models that may be repeated or comma-separated; commas within a model stay."""
    if not values:
        return None
    apart = re.compile(rf",(?=\s*(?:{'|'.join(FAMILIES)})\b)")
    return tuple(name.strip() for value in values for name in apart.split(value))


def split_numbers(values: list[str] | None, option: str) -> tuple[float, ...] | None:
    """Split numbers that may be repeated or comma-separated; raises `UsageError` for what is none."""
    names = split_names(values)
    if names is None:
        return None
    try:
        return tuple(float(name) for name in names)
    except ValueError:
        wrong = ", ".join(values or [])
        raise UsageError(
            f"{option}: '{wrong}' is not a list of numbers", f"such as {option} 1,4,20"
        ) from None


_runs = _starting(_run_names)
_DATASETS = ", ".join(DATASETS)
_TARGETS = ": " + ", ".join(TARGETS) + "; repeat or comma-separate"


def _run_argument(words: str, metavar: str = "[RUN]") -> Any:
    return typer.Argument(metavar=metavar, help=words, autocompletion=_runs, show_default=False)


def one_run(argument: str | None, option: str | None) -> str | None:
    """Return the run that a command line names as RUN or by --run; raises `UsageError` if it names two."""
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"two runs are named, {argument} and --run {option}", "keep one of them")
    return option if argument is None else argument


_DEFAULT_RUN = "default: the one that KD_RUN names, or the current one"
RunName = Annotated[
    str | None,
    typer.Option("--run", help=f"the run to work on; {_DEFAULT_RUN}", autocompletion=_runs),
]
RunArgument = Annotated[str | None, _run_argument(f"the run; {_DEFAULT_RUN}")]
CheckedRunName = Annotated[
    str | None, typer.Option("--run", help="check only this run; default: all", autocompletion=_runs)
]
CheckedRunArgument = Annotated[str | None, _run_argument("check only this run; default: all")]
DeletedRunName = Annotated[str | None, typer.Option("--run", help="the run to delete", autocompletion=_runs)]
DeletedRunArgument = Annotated[str | None, _run_argument("the run to delete")]
UsedRunArgument = Annotated[str, _run_argument("the run to make current", "RUN")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="delete without asking")]
NewRunName = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="name of the run; default: the one that KD_RUN names, the dataset's or the recipe file's",
    ),
]
Outputs = Annotated[
    Path | None,
    typer.Option(
        "--outputs", envvar="KD_OUTPUTS", help="folder of all runs; default: outputs", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document on stdout, and nothing else")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print nothing but errors")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="refuse, rather than wait, while another kd works on the run")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        help="processes that compute at the same time, which changes no result (at least 1)",
        min=1,
        show_default=f"{workers.JOBS}, or else the processors that kd may use",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="replace what is there if it was made differently")]

KeepGoing = Annotated[
    bool,
    typer.Option(
        "--keep-going", help="leave out students whose loss stops being finite, and keep the others"
    ),
]

DatasetName = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATASET]",
        help=f"the dataset: {_DATASETS}; default: gaussians",
        autocompletion=_starting(lambda _: DATASETS),
        show_default=False,
    ),
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="a built-in recipe or FILE.toml; default: the run's or the dataset's",
        autocompletion=_starting(_recipes),
        show_default=False,
    ),
]
StudentRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="take the students of a built-in recipe or FILE.toml; default: the run's own",
        autocompletion=_starting(_recipes),
    ),
]
RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="[RECIPE|FILE.toml]",
        help=f"a built-in recipe ({', '.join(builtin_names())}) or a file of your own",
        autocompletion=_starting(_recipes),
    ),
]
ShownRecipe = Annotated[
    str,
    typer.Argument(
        metavar="[RECIPE|FILE.toml]",
        help=f"a built-in recipe ({', '.join(builtin_names())}) or a file, such as the recipe.toml of a run",
        autocompletion=_starting(_recipes),
    ),
]
NSamples = Annotated[int | None, _setting(Sampling, "n_samples")]
Separation = Annotated[float | None, _setting(Gaussians, "separation", note="; of gaussians")]
Noise = Annotated[float | None, _setting(Moons, "noise", note="; of moons")]
ValFraction = Annotated[float | None, _setting(Sampling, "val_fraction")]
NTest = Annotated[int | None, _setting(Sampling, "n_test", note="; not of mnist; of digits 10 to 1000")]
NVal = Annotated[int | None, _setting(MNIST, "n_val", note="; of digits (10 to 1000) and mnist")]
Source = Annotated[
    Path | None,
    typer.Option("--source", help="folder with the dataset's files, instead of a download; of mnist"),
]
DataSeed = Annotated[int | None, _setting(Sampling, "seed")]

TeacherModel = Annotated[
    str | None,
    _setting(
        Teacher,
        "model",
        note=f": {SYNTAX}",
        completion=_starting(lambda _: [family.EXAMPLE for family in FAMILIES.values()]),
        metavar="MODEL",
    ),
]
Schedule = Annotated[str | None, _setting(Teacher, "schedule", completion=_starting(lambda _: SCHEDULES))]
Precision = Annotated[str | None, _setting(Teacher, "precision", completion=_starting(lambda _: PRECISIONS))]
Device = Annotated[str | None, _setting(Teacher, "device", completion=_starting(lambda _: DEVICES))]
TeacherSeed = Annotated[int | None, _setting(Teacher, "seed")]
Epochs = Annotated[int | None, _setting(Teacher, "epochs")]
BatchSize = Annotated[int | None, _setting(Teacher, "batch_size")]
LearningRate = Annotated[float | None, _setting(Teacher, "learning_rate")]

StudentModels = Annotated[
    list[str] | None,
    _setting(
        Students,
        "models",
        note=f": {SYNTAX}; repeat or comma-separate",
        completion=_listing(_student_models, split_models),
        metavar="MODEL,...",
    ),
]
TargetNames = Annotated[
    list[str] | None,
    _setting(Students, "targets", "-t", note=_TARGETS, completion=_listing(lambda _: TARGETS, split_names)),
]
Temperatures = Annotated[
    list[str] | None,
    _setting(Students, "temperatures", "-T", note="; repeat or comma-separate", metavar="T,..."),
]
TransferSize = Annotated[int | None, _setting(Students, "transfer_size")]
Smoothing = Annotated[float | None, _setting(Students, "smoothing")]
LabelWeight = Annotated[float | None, _setting(Students, "label_weight")]
Seeds = Annotated[int | None, _setting(Students, "seeds")]
SetName = Annotated[
    str | None, typer.Option("--name", help="name of the student set, if this makes only one")
]

FigureNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FIGURE]...",
        help=f"which figures: {', '.join(FIGURES)}; default: all that apply",
        autocompletion=_starting(lambda _: FIGURES),
        show_default=False,
    ),
]
ShownModels = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="draw only students of this model; repeat or comma-separate",
        autocompletion=_listing(_models_here, split_models),
        metavar="MODEL,...",
    ),
]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help=f"give verdicts on these too: {', '.join(METRICS)}; repeat or comma-separate",
        autocompletion=_listing(lambda _: METRICS, split_names),
    ),
]
Control = Annotated[
    str | None,
    typer.Option(
        "--control",
        help="compare with this student set, such as hard or soft-T4-mlp4; default: labels",
        autocompletion=_starting(lambda context: [*TARGETS, *_sets(context)]),
    ),
]
Unpaired = Annotated[
    bool,
    typer.Option("--unpaired", help="compare also sets of other seeds, models or budgets than the control's"),
]
ComparedModels = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="compare only students of this model; repeat or comma-separate",
        autocompletion=_listing(_models_here, split_models),
        metavar="MODEL,...",
    ),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="print the results as CSV on stdout, and nothing else")]
FigureFormat = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"file format: {', '.join(FORMATS)}",
        autocompletion=_starting(lambda _: FORMATS),
        show_default=True,
    ),
]
ShowFigures = Annotated[bool, typer.Option("--show", help="open the figures that were drawn")]
