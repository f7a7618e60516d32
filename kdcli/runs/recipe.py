"""Recipes: the defaults of all stages of one experiment, as dataclasses and as TOML.

[data]       the dataset and its options
[teacher]    the teacher's model and training
[students]   the students' models and training, their targets and seeds
"""

from dataclasses import dataclass
from typing import Any

from kdcli.errors import KdError
from kdcli.models import FAMILIES, SEEDS, SYNTAX, TEACHERS, Model, parse_model, parse_teacher
from kdcli.models.ensemble import MOST_MEMBERS
from kdcli.runs import transfer
from kdcli.runs.completion import trained_and_example_models
from kdcli.runs.source import ONLY_OF, check_source, source_kind
from kdcli.settings import rules, setting
from kdcli.targets import AUTO, SMOOTHING, TARGETS, TEMPERATURES, candidates, find_target

PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda")
SCHEDULES = ("constant", "linear")
SELECTIONS = ("last", "best")
CLASS_WEIGHTS = ("none", "balanced")
BY_TARGET, BY_TEACHER, ORIGINAL = "target", "teacher", "original"  # where training labels come from
SCALINGS = ("unit", "raw")
EXISTING = "An existing teacher"  # the help panel of its settings
PANEL = "Training"  # the help panel of settings that most people leave as they are


@dataclass(frozen=True)
class Training:
    """How a model is trained: networks with Adam, for a number of epochs."""

    epochs: int = setting(
        500, "number of passes over the training split", minimum=1, panel=PANEL, of="model", paired=True
    )
    batch_size: int = setting(
        0, "examples per step; 0 takes the whole split", minimum=0, panel=PANEL, of="model", paired=True
    )
    learning_rate: float = setting(
        1e-3, "Adam's learning rate", above=0, panel=PANEL, of="model", paired=True
    )
    select: str = setting(
        "last",
        "the epoch whose model is kept: the last, or the one with the best validation NLL",
        choices=SELECTIONS,
        panel=PANEL,
        of="model",
        paired=True,
    )
    class_weight: str = setting(
        "none",
        "weights of examples in the loss; balanced: all classes count equally, however rare",
        choices=CLASS_WEIGHTS,
        panel=PANEL,
        of="model",
        tag="weight-",
        sign="classes",
        paired=True,
        grouping=True,
    )


@dataclass(frozen=True)
class Teacher(Training):
    """The teacher's model and training."""

    model: str = setting(
        "mlp:64,64",
        "the teacher's model; several models, given separately or joined by +, are averaged",
        check=parse_teacher,
        values=TEACHERS,
        metavar="MODEL",
        completion=tuple(family.EXAMPLE for family in FAMILIES.values()),
        joined_by="+",
    )
    ensemble: int = setting(
        1,
        "number of models in an ensemble, trained with different seeds and averaged in probability; with "
        "several models, the number of each",
        minimum=1,
        maximum=MOST_MEMBERS,
    )
    seed: int = setting(
        0,
        "random seed of the initial weights and the batch order; for a single tree, of how ties are broken",
        minimum=0,
    )
    folds: int = setting(
        0,
        "number of folds: training rows are labelled out of fold, by teachers trained on the other folds; "
        "1: by the teacher itself; 0: five folds for forests and boosted trees, else one",
        minimum=0,
        maximum=100,
    )
    precision: str = setting(
        "auto", "numerical precision of matrix products", choices=PRECISIONS, panel=PANEL, of="model"
    )
    schedule: str = setting(
        "constant", "learning-rate schedule (linear decays to 0)", choices=SCHEDULES, panel=PANEL, of="model"
    )
    device: str = setting("auto", "device to train on", choices=DEVICES, panel=PANEL, of="model")
    source: str = setting(
        "",
        "an existing teacher, instead of training one: a file of predictions, MODEL.onnx, "
        "package.module:function or FILE.py:function of your own, or command:COMMAND",
        flag="--from",
        metavar="WHAT",
        panel=EXISTING,
        check=check_source,
    )
    id_column: str = setting(
        "",
        "column that matches the rows of a prediction file to the data; empty: match them by order",
        flag="--id",
        metavar="COLUMN",
        panel=EXISTING,
    )
    logits: bool = setting(
        False, "read the existing teacher's outputs as logits instead of probabilities", panel=EXISTING
    )
    trust_order: bool = setting(
        False,
        "accept the existing teacher's outputs even if another order of classes or rows fits better",
        panel=EXISTING,
    )
    timeout: float = setting(
        600.0, "time limit of a teacher command for 10,000 rows, in seconds", above=0, panel=EXISTING
    )
    scaling: str = setting(
        "unit",
        "scale of the pixels passed to an ONNX model: from 0 to 1, or raw",
        choices=SCALINGS,
        panel=EXISTING,
    )
    digest: str = setting("", "SHA-256 of the existing teacher; empty: not checked", panel=EXISTING)

    @property
    def keys(self) -> list[str]:
        """The settings that have an effect: those of training, or those of an existing teacher."""
        kind = source_kind(self.source) if self.source else ""
        own = (key for key, rule in rules(Teacher).items() if (rule.panel == EXISTING) == bool(kind))
        return [key for key in own if ONLY_OF.get(key, kind) == kind]

    @property
    def problems(self) -> list[str]:
        """Problems with the combination of the model and the size of the ensemble."""
        try:
            parse_teacher(self.model, self.ensemble)
        except KdError as error:
            return [error.message]
        return []


def applies(config: type, key: str, model: Model) -> bool:
    """Whether a setting of a teacher or of students has an effect on this model."""
    return rules(config)[key].of != "model" or model.takes(key)


@dataclass(frozen=True)
class Students(Training):
    """The students' models and targets, and the training of students that learn by gradients."""

    models: tuple[str, ...] = setting(
        ("mlp:4",),
        "the students' models, each trained on every target",
        check=parse_model,
        values=SYNTAX,
        flag="--model",
        metavar="MODEL",
        completion=trained_and_example_models,
        item_starts=tuple(FAMILIES),
        each="model",
        paired=True,
        grouping=True,
    )
    targets: tuple[str, ...] = setting(
        ("labels", "hard", "soft"),
        "the targets to train students on",
        check=find_target,
        choices=tuple(TARGETS),
        flag="--target",
        short="-t",
        each="target",
    )
    temperatures: tuple[float | str, ...] = setting(
        (4.0,),
        "temperatures of soft targets, one student set for each; auto picks from "
        f"{candidates(TEMPERATURES)} by validation NLL",
        minimum=0.01,
        maximum=1000,
        words=(AUTO,),
        flag="--temperature",
        short="-T",
        metavar="T",
        each="temperature",
        of="target",
        tag="T",
    )
    smoothing: float | str = setting(
        0.1,
        "ε of smooth targets: the probability spread evenly over all classes; auto picks from "
        f"{candidates(SMOOTHING)} by validation NLL",
        above=0,
        below=1,
        words=(AUTO,),
        panel=PANEL,
        of="target",
        tag="e",
        sign="ε",
    )
    label_weight: float = setting(
        0.0, "weight of the true labels in the loss", minimum=0, maximum=1, panel=PANEL, tag="w"
    )
    transfer: str = setting(
        "train",
        "the examples to teach on: train or train:N of the training split, and optionally, joined by +, "
        "examples that the teacher labels: rest (the other training examples), munge:K (synthetic rows), "
        "pool:FILE; or duplicate:K (copies)",
        check=transfer.check,
        metavar="EXAMPLES",
        completion=("train", "train:1000", "train+munge:5", "train+duplicate:5"),
        panel=PANEL,
        tag="n",
        paired=True,
        grouping=True,
        named=transfer.named,
        alike=transfer.alike,
    )
    labels_from: str = setting(
        BY_TARGET,
        "source of the labels of training examples: as the target says, the teacher, or the original labels",
        choices=(BY_TARGET, BY_TEACHER, ORIGINAL),
        panel=PANEL,
        tag="from-",
        sign="labels from",
    )
    seeds: int = setting(
        10,
        f"replicates of each student in each draw, with seeds 0, 1, …; each sets {SEEDS}",
        minimum=1,
        paired=True,
    )


@dataclass(frozen=True)
class Recipe:
    """One experiment: `data` is an instance of the config class of `DATASETS[dataset]`."""

    dataset: str
    data: Any
    teacher: Teacher
    students: Students
