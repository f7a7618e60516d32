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
BY_TARGET, BY_TEACHER, ORIGINAL = "target", "teacher", "original"  # whose labels examples have
SCALINGS = ("unit", "raw")
EXISTING = "A teacher that exists"  # a panel of the help pages, with its settings
PANEL = "Training"  # of the help pages, for what most people leave as it is


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
        "weights of examples in the loss; balanced: classes count alike, rare ones too",
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
        "the teacher's model; several that are given, or joined by +, are averaged",
        check=parse_teacher,
        values=TEACHERS,
        metavar="MODEL",
        completion=tuple(family.EXAMPLE for family in FAMILIES.values()),
        joined_by="+",
    )
    ensemble: int = setting(
        1,
        "members of an ensemble of this model, with different seeds, whose probabilities are averaged; of "
        "several models, members of each",
        minimum=1,
        maximum=MOST_MEMBERS,
    )
    seed: int = setting(
        0,
        "random seed of the initial weights and the batch order; of a tree, which takes all rows, of ties",
        minimum=0,
    )
    folds: int = setting(
        0,
        "label training rows by teachers that have not seen them, each trained on all but one of so many "
        "folds; 1: by the teacher itself; 0: five folds for forests and boosted trees, else one",
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
        "a teacher that exists, instead of one that is trained: a file of predictions, MODEL.onnx, "
        "package.module:function or FILE.py:function of your own, or command:COMMAND",
        flag="--from",
        metavar="WHAT",
        panel=EXISTING,
        check=check_source,
    )
    id_column: str = setting(
        "",
        "column by which rows of a file of predictions are matched; empty: by their order",
        flag="--id",
        metavar="COLUMN",
        panel=EXISTING,
    )
    logits: bool = setting(False, "take its answers for logits instead of probabilities", panel=EXISTING)
    trust_order: bool = setting(
        False, "take its answers even if another order of classes or rows fits better", panel=EXISTING
    )
    timeout: float = setting(
        600.0, "seconds that a command may take for 10,000 rows", above=0, panel=EXISTING
    )
    scaling: str = setting(
        "unit", "pixels that an ONNX model gets: from 0 to 1, or raw", choices=SCALINGS, panel=EXISTING
    )
    digest: str = setting("", "SHA-256 of a teacher that exists; empty: whatever it is", panel=EXISTING)

    @property
    def keys(self) -> list[str]:
        """The settings that have an effect: those of training, or those of a teacher that exists."""
        kind = source_kind(self.source) if self.source else ""
        own = (key for key, rule in rules(Teacher).items() if (rule.panel == EXISTING) == bool(kind))
        return [key for key in own if ONLY_OF.get(key, kind) == kind]

    @property
    def problems(self) -> list[str]:
        """What is wrong with the model and the number of its members together."""
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
    """The students' models, what they are taught, and the training of those that learn by gradients."""

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
        "temperature of soft targets, one student set for each; auto is the one of "
        f"{candidates(TEMPERATURES)} with the best validation NLL",
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
        "ε of smooth targets: the probability spread evenly over all classes; auto is the one of "
        f"{candidates(SMOOTHING)} with the best validation NLL",
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
        "the examples to teach on: train or train:N of the training split, and joined by + further ones that "
        "the teacher labels: rest (other training examples), munge:K (new rows), pool:FILE; or duplicate:K",
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
        "whose labels training examples have: as the target says, the teacher's, or the original ones",
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
