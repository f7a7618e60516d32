"""The protocol of a family of models, and the data passed between a family and its callers.

No code outside a family's own file depends on the family of a model: everything that differs between families
is a method or a constant here. A new family is one file with a frozen dataclass derived from `Model`, and one
line in `FAMILIES`. The command line reads them for its help, so their files import torch inside functions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from kdcli.progress import Report

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor

    from kdcli.models.network import Network
    from kdcli.models.stack import Stack

LOGIT_BYTES = 16  # per logit in training: float32 in parts and joined, float64 for scoring


class History(NamedTuple):
    """Learning curves, each point measured in evaluation mode on its whole split.

    epochs (points,) int64; all others (members, points) float64: train and val are losses in nats, and the
    accuracies are shares of the examples whose label is predicted.
    """

    epochs: Tensor
    train: Tensor
    val: Tensor
    train_accuracy: Tensor
    val_accuracy: Tensor

    @property
    def diverged(self) -> dict[int, int]:
        """The members whose loss became non-finite, each with the epoch by which it had."""
        lost = ~(self.train.isfinite() & self.val.isfinite())
        members = lost.any(dim=1).nonzero().flatten().tolist()
        return {member: int(self.epochs[lost[member].nonzero()[0, 0]]) for member in members}

    def of(self, members: Tensor) -> History:
        """Return the curves of some members, which may have several axes."""
        return History(self.epochs, *(curve[members] for curve in self[1:]))


@dataclass(frozen=True)
class Lesson:
    """The targets of the models of one set.

    `targets` has, for the splits "train" and "val", class probabilities `(draws, n, n_classes)` float64 with
    rows that sum to 1, softened at `temperature`; `(draws, seeds, n, n_classes)` if each seed has its own.
    `label_weight` is the weight of the true labels in the loss.
    """

    targets: Mapping[str, Tensor]
    temperature: float = 1.0
    label_weight: float = 0.0

    @property
    def by_seed(self) -> bool:
        """Whether each seed has its own targets."""
        return any(target.ndim == 4 for target in self.targets.values())

    def target(self, split: str, draw: int, place: int) -> Tensor:
        """Return the target of the seed with this index in a draw, `(n, n_classes)`."""
        target = self.targets[split][draw]
        return target[place] if self.by_seed else target


@dataclass(frozen=True)
class Teaching:
    """Everything that a family needs to train one model for each draw and seed of each set.

    x          `(examples, *features)` of all draws; float32, or uint8 images
    index      `(draws, n)`: the examples of each draw in every split, in "train" those that are taught; it is
               `(1, n)` for "test" if all draws share it
    labels     `(draws, n, n_classes)` one-hot float64 for "train" and "val"
    lessons    one for each set
    seeds      of each set and draw; they name the random streams, together with `role` and the draw
    role       "teacher" or "student"
    predicted  the splits whose logits are needed
    replicates  whether the seeds are replicates, so that trees draw their rows; a single model, such as a
               teacher, should be as good as possible
    loss       the loss of models trained by gradients, a name in LOSSES
    standardise  whether models trained by gradients learn from features of mean 0 and deviation 1
    weights    weights of the examples in the loss, `(draws, n)` float64 for "train" and "val"; None if all
               are 1
    """

    x: Tensor
    index: Mapping[str, Tensor]
    labels: Mapping[str, Tensor]
    lessons: Sequence[Lesson]
    seeds: Sequence[int]
    role: str
    predicted: Sequence[str]
    replicates: bool = True
    loss: str = "kl"
    standardise: bool = False
    weights: Mapping[str, Tensor] | None = None

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.x.shape[1:])

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.labels["train"])

    @property
    def n_train(self) -> int:
        """Number of examples that each model is taught on."""
        return self.labels["train"].shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.labels["train"].shape[2]


@dataclass(frozen=True)
class Fitted:
    """The trained models of one set: those of `seeds`, in order, without the seeds that were `lost`.

    tensors    their state, each tensor with leading axes `(draws, seeds, ...)`
    logits     `(draws, seeds, n, n_classes)` for each predicted split
    seconds    spent on this set
    history    learning curves, `(draws, seeds, points)`; None if the family has none
    described  numbers for each seed of each draw, by the names in the model's `described`
    used       values chosen for the hardware, such as device and precision
    lost       seeds without a usable model in some draw, by reason: "diverged" or "overflowed"
    """

    seeds: Sequence[int]
    tensors: Mapping[str, Tensor]
    logits: Mapping[str, Tensor]
    seconds: float
    history: History | None = None
    described: Mapping[str, list[list[float]]] = field(default_factory=dict)
    used: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, Sequence[int]] = field(default_factory=dict)


class Workshop(Protocol):
    """The services that a family uses to train its models."""

    def by_gradients(self, model: Network, teaching: Teaching) -> Iterable[Fitted]:
        """Train networks by gradients, as one stack in worker processes."""

    def watch(self, total: int, unit: str) -> AbstractContextManager[Report]:
        """Open a progress display for `total` units, such as trees."""

    def component(self, number: int, model: Model) -> Workshop:
        """Return the workshop for the members of this model in an ensemble of several models."""


@dataclass(frozen=True)
class Sizes:
    """The sizes that determine the needs of a training.

    `features` is the shape of one example. `train` and `val` count examples, `predicted` those whose logits
    are kept. Each of the `sets` has a model for each of the `seeds` of each of the `draws`, and targets for
    each draw; for each seed as well if they are `by_seed`.
    """

    features: Sequence[int]
    n_classes: int
    train: int
    val: int
    predicted: int
    sets: int
    seeds: int
    draws: int = 1
    by_seed: bool = False

    @property
    def members(self) -> int:
        """Number of models."""
        return self.sets * self.seeds * self.draws


class Need(NamedTuple):
    """The least needs of a training, in bytes."""

    memory: int
    disk: int


class Model(ABC):
    """A model to be trained: its family, the class, and its shape. It is written `family:arguments`.

    SYNTAX     how it is written, with an example
    EXAMPLE    a model of this family
    SEEDS      what the seeds of students vary, in words: the source of the spread over seeds
    COPIES     copies of the parameters in memory during training
    CURVES     whether training gives learning curves
    REMEMBERS  whether its models memorise the labels of their training rows, so that as teachers they should
               only label rows that they have not seen
    DESCRIBED  names of numbers that describe each trained model, such as leaves; () if all models of one
               shape have the same size
    """

    SYNTAX: ClassVar[str]
    EXAMPLE: ClassVar[str]
    SEEDS: ClassVar[str]
    COPIES: ClassVar[int] = 2
    CURVES: ClassVar[bool] = False
    REMEMBERS: ClassVar[bool] = False
    DESCRIBED: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def parse(cls, arguments: str) -> Self:
        """Parse the arguments after "family:"; raises ValueError saying what is wrong."""

    @abstractmethod
    def __str__(self) -> str:
        """Write the model as `parse_model` reads it."""

    @property
    @abstractmethod
    def slug(self) -> str:
        """The model in a file name, such as "mlp64-64"."""

    @abstractmethod
    def train(self, teaching: Teaching, workshop: Workshop) -> Iterable[Fitted]:
        """Train a model for each seed of each set, on class probabilities; returns the sets in order."""

    @abstractmethod
    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> Stack:
        """Build the stack that has these stored tensors; raises ValueError if they do not fit the model."""

    @abstractmethod
    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        """Return a lower bound of the stored bytes of one trained model."""

    @abstractmethod
    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count the multiply-adds of predicting one example."""

    @property
    def described(self) -> tuple[str, ...]:
        """Names of numbers that each trained model is described by: `DESCRIBED`, or more."""
        return self.DESCRIBED

    @property
    def limited_by(self) -> str:
        """What limits the growth of the model: "nothing", only the "leaves", or something "else"."""
        return "else"

    @property
    def remembers(self) -> bool:
        """Whether such models memorise the labels of their training rows: `REMEMBERS` by default."""
        return self.REMEMBERS

    @property
    def factored(self) -> tuple[int, Model]:
        """The common count of an ensemble's models, and the models without it; else 1 and itself."""
        return 1, self

    def takes(self, setting: str) -> bool:
        """Whether a setting of training, such as "epochs", has an effect on this model."""
        return False

    def problem(self, features: Sequence[int], n_train: int) -> str:
        """Return why such a model cannot learn from these data; empty if it can."""
        return ""

    def needs(self, sizes: Sizes) -> Need:
        """Return a lower bound of training's needs: parameters, targets and logits."""
        logits = sizes.n_classes * sizes.predicted
        each = self.least_bytes(sizes.features, sizes.n_classes, sizes.train)
        # Targets of each seed are made one by one, and then laid out for the stack.
        taught = 2 * sizes.members if sizes.by_seed else sizes.draws * sizes.sets
        targets = 8 * taught * sizes.n_classes * (sizes.train + sizes.val)
        return Need(
            memory=sizes.members * (self.COPIES * each + LOGIT_BYTES * logits) + targets,
            disk=sizes.members * (each + 4 * logits),
        )
