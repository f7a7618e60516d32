"""Option types shared by the commands; ranges, wording and choices come from the library."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from kdcli.data import DATASETS
from kdcli.data.dataset import Sampling
from kdcli.data.gaussians import Gaussians
from kdcli.data.mnist import MNIST
from kdcli.data.moons import Moons
from kdcli.errors import UsageError
from kdcli.figures import FIGURES
from kdcli.metrics import METRICS
from kdcli.models import MODELS, NETWORK_SYNTAX, SYNTAX
from kdcli.recipe import DEVICES, PRECISIONS, SCHEDULES, Students, Teacher, builtin_names
from kdcli.settings import flag, rules
from kdcli.store import Store
from kdcli.targets import TARGETS


def _setting(config: type, key: str, *short: str, note: str = "", completion: Any = None) -> Any:
    """Make the option of a setting, with its own help and range."""
    rule = rules(config)[key]
    words = f"{rule.help} ({rule.allowed})" if rule.allowed else rule.help
    return typer.Option(
        flag(config, key), *short, help=words + note, autocompletion=completion, show_default=False
    )


def _starting(names: Callable[[], Any]) -> Callable[[str], list[str]]:
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


def split_names(values: list[str] | None) -> tuple[str, ...] | None:
    """Split the values of an option that may be repeated or comma-separated."""
    if not values:
        return None
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def split_models(values: list[str] | None) -> tuple[str, ...] | None:
    """Split models that may be repeated or comma-separated; commas within a model stay."""
    if not values:
        return None
    apart = re.compile(rf",(?=\s*(?:{'|'.join(MODELS)})\b)")
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


_runs = _starting(lambda: Store().runs())
_DATASETS = ", ".join(DATASETS)
_TARGETS = ": " + ", ".join(TARGETS) + "; repeat or comma-separate"

RunName = Annotated[
    str | None,
    typer.Option("--run", help="the run to work on; default: the current one", autocompletion=_runs),
]
CheckedRunName = Annotated[
    str | None, typer.Option("--run", help="check only this run; default: all", autocompletion=_runs)
]
DeletedRunName = Annotated[
    str, typer.Argument(metavar="RUN", help="the run to delete", autocompletion=_runs, show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="delete without asking")]
NewRunName = Annotated[
    str | None,
    typer.Option("--run", help="name of the run; default: the dataset's, or the recipe file's"),
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
        autocompletion=_starting(lambda: DATASETS),
        show_default=False,
    ),
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="a built-in recipe or FILE.toml; default: the run's or the dataset's",
        show_default=False,
    ),
]
StudentRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe", help="take the students of a built-in recipe or FILE.toml; default: the run's own"
    ),
]
RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="[RECIPE|FILE.toml]",
        help=f"a built-in recipe ({', '.join(builtin_names())}) or a file of your own",
        autocompletion=_starting(builtin_names),
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

TeacherModel = Annotated[str | None, _setting(Teacher, "model", note=f": {NETWORK_SYNTAX}")]
Schedule = Annotated[str | None, _setting(Teacher, "schedule", completion=_starting(lambda: SCHEDULES))]
Precision = Annotated[str | None, _setting(Teacher, "precision", completion=_starting(lambda: PRECISIONS))]
Device = Annotated[str | None, _setting(Teacher, "device", completion=_starting(lambda: DEVICES))]
TeacherSeed = Annotated[int | None, _setting(Teacher, "seed")]
Epochs = Annotated[int | None, _setting(Teacher, "epochs")]
BatchSize = Annotated[int | None, _setting(Teacher, "batch_size")]
LearningRate = Annotated[float | None, _setting(Teacher, "learning_rate")]

StudentModels = Annotated[
    list[str] | None, _setting(Students, "models", note=f": {SYNTAX}; repeat or comma-separate")
]
TargetNames = Annotated[
    list[str] | None,
    _setting(Students, "targets", "-t", note=_TARGETS, completion=_starting(lambda: TARGETS)),
]
Temperatures = Annotated[
    list[str] | None, _setting(Students, "temperatures", "-T", note="; repeat or comma-separate")
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
        autocompletion=_starting(lambda: FIGURES),
        show_default=False,
    ),
]
ShownModels = Annotated[
    list[str] | None,
    typer.Option("--model", help="draw only students of this model; repeat or comma-separate"),
]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help=f"give verdicts on these too: {', '.join(METRICS)}; repeat or comma-separate",
        autocompletion=_starting(lambda: METRICS),
    ),
]
Control = Annotated[
    str | None,
    typer.Option(
        "--control", help="compare with this student set, such as hard or soft-T4-mlp4; default: labels"
    ),
]
Unpaired = Annotated[
    bool,
    typer.Option("--unpaired", help="compare also sets of other seeds, models or budgets than the control's"),
]
ComparedModels = Annotated[
    list[str] | None,
    typer.Option("--model", help="compare only students of this model; repeat or comma-separate"),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="print the results as CSV on stdout, and nothing else")]
FigureFormat = Annotated[str, typer.Option("--format", help="file format: png, svg or pdf")]
ShowFigures = Annotated[bool, typer.Option("--show", help="open the figures that were drawn")]
