"""Targets, which students learn: matrices of class probabilities `(n, n_classes)`.

They are float64: at a temperature of 1000, classes differ only in the last bits of a float32.
The command line reads TARGETS for its help, so torch is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from kdcli.errors import unknown
from kdcli.words import listed

if TYPE_CHECKING:
    from torch import Tensor


TEMPERATURES, SMOOTHING = "temperatures", "smoothing"  # the settings of students that a target may take
AUTO = "auto"  # in place of a value: the best on the validation split
CANDIDATES: Mapping[str, Sequence[float]] = MappingProxyType(  # the values that "auto" chooses from
    {TEMPERATURES: (1.0, 2.0, 4.0, 8.0), SMOOTHING: (0.02, 0.05, 0.1, 0.2, 0.4)}
)
UNTRAINED = "mlp:64,64"  # the network of `random` if the teacher is not a network


@dataclass(frozen=True)
class Knowledge:
    """Everything that targets are made from, on one split of n examples.

    y              (n,) int64           the dataset's labels
    n_classes                           number of classes
    posterior      (n, n_classes)       exact P(y|x), or None if it is not known
    teacher_logits (n, n_classes)       logits of the teacher that the target comes from, or None
    smoothing                           ε of uniform smoothing
    chance         (n, n_classes)       uniform random numbers for random targets, or None
    """

    y: Tensor
    n_classes: int
    posterior: Tensor | None = None
    teacher_logits: Tensor | None = None
    smoothing: float = 0.0
    chance: Tensor | None = None


@dataclass(frozen=True)
class Target:
    """A kind of target: how it is built, what it needs, and the setting of students that it uses, if any.

    It is `softened` if that setting is a temperature. With fewer classes than `least_classes` it is the same
    as another. A `graded` target differs from example to example, also within a class; a target `by_seed`
    is built for each seed separately. It may need a teacher of the student's own shape ("self"), or the
    run's teacher before its training ("untrained").
    """

    summary: str
    needs: Literal["labels", "teacher", "posterior", "self", "untrained"]
    build: Callable[[Knowledge, float], Tensor]
    setting: str = ""
    least_classes: int = 2
    graded: bool = False
    by_seed: bool = False

    @property
    def teaches(self) -> bool:
        """Whether there is anything to learn from it: an untrained teacher knows nothing."""
        return self.needs != "untrained"

    @property
    def softened(self) -> bool:
        """Whether it is a matrix of probabilities at a temperature."""
        return self.setting == TEMPERATURES


def balanced_weights(y: Tensor, counted: Tensor, n_classes: int) -> Tensor:
    """Return the weight of each example with the labels `y (..., n)`, `(..., n)` float64.

    Each class has the same total weight among the `counted (..., m)` labels of the training split, and their
    mean weight is 1. King and Zeng, "Logistic regression in rare events data" (2001).
    """
    import torch

    counts = one_hot(counted, n_classes).sum(-2)
    weights: Tensor = counted.shape[-1] / (n_classes * counts.clamp(min=1))
    return torch.gather(weights, -1, y)


def one_hot(index: Tensor, n_classes: int) -> Tensor:
    """One-hot float64 rows `(n, n_classes)` of class indices `(n,)`."""
    from torch.nn import functional as F

    return F.one_hot(index, n_classes).double()


def _labels(known: Knowledge, temperature: float) -> Tensor:
    return one_hot(known.y, known.n_classes)


def _smooth(known: Knowledge, temperature: float) -> Tensor:
    return (1 - known.smoothing) * one_hot(known.y, known.n_classes) + known.smoothing / known.n_classes


def _hard(known: Knowledge, temperature: float) -> Tensor:
    return one_hot(_given(known.teacher_logits).argmax(1), known.n_classes)


def _bayes(known: Knowledge, temperature: float) -> Tensor:
    return one_hot(_given(known.posterior).argmax(1), known.n_classes)


def _soft(known: Knowledge, temperature: float) -> Tensor:
    return (_given(known.teacher_logits).double() / temperature).softmax(1)


def _shuffled(known: Knowledge, temperature: float) -> Tensor:
    """Soft targets with all classes except the top one permuted, independently in every example.

    As in the control experiment of Furlanello et al., "Born-again neural networks" (2018). The same random
    numbers give the same permutation at every temperature.
    """
    logits, chance = _given(known.teacher_logits).double(), _given(known.chance)
    top = logits.argmax(1, keepdim=True)
    # The top class comes first in both orders, and so keeps its place.
    places = chance.scatter(1, top, 2.0).argsort(1, descending=True)
    ranked = logits.scatter(1, top, float("inf")).argsort(stable=True, dim=1, descending=True)
    return (logits.scatter(1, places, logits.gather(1, ranked)) / temperature).softmax(1)


def _spread(known: Knowledge, temperature: float) -> Tensor:
    """Soft targets that keep only the top probability; the other classes share the rest evenly."""
    p = _soft(known, temperature)
    top, index = p.max(1, keepdim=True)
    return ((1 - top) / (known.n_classes - 1)).expand_as(p).scatter(1, index, top)


def _bayes_soft(known: Knowledge, temperature: float) -> Tensor:
    return _given(known.posterior)


def _given(source: Tensor | None) -> Tensor:
    if source is None:
        raise ValueError("this target needs a tensor that was not given; see Target.needs")
    return source


TARGETS = MappingProxyType(
    {
        "labels": Target("the dataset's labels: the control, no teacher", "labels", _labels),
        "smooth": Target(
            "the labels, smoothed: a share ε spread evenly over all classes",
            "labels",
            _smooth,
            setting=SMOOTHING,
        ),
        "hard": Target("the teacher's predicted class", "teacher", _hard),
        "bayes": Target("the class of largest exact posterior", "posterior", _bayes),
        "spread": Target(
            "the teacher's highest probability at temperature T, and the rest evenly on all others",
            "teacher",
            _spread,
            setting=TEMPERATURES,
            least_classes=3,
            graded=True,
        ),
        "shuffled": Target(
            "soft, with the probabilities of the other classes shuffled in each example: noise",
            "teacher",
            _shuffled,
            setting=TEMPERATURES,
            least_classes=3,
            graded=True,
            by_seed=True,
        ),
        "random": Target(
            f"the probabilities of an untrained teacher: the run's, or {UNTRAINED} if that is not a network",
            "untrained",
            _soft,
            setting=TEMPERATURES,
            graded=True,
            by_seed=True,
        ),
        "self": Target(
            "the probabilities of a teacher of the student's own shape",
            "self",
            _soft,
            setting=TEMPERATURES,
            graded=True,
            by_seed=True,
        ),
        "soft": Target(
            "the teacher's probabilities at temperature T",
            "teacher",
            _soft,
            setting=TEMPERATURES,
            graded=True,
        ),
        "bayes-soft": Target("the exact posterior", "posterior", _bayes_soft, graded=True),
    }
)


def candidates(setting: str) -> str:
    """List the values that are tried if this setting is "auto"."""
    return listed([f"{value:g}" for value in CANDIDATES[setting]])


def find_target(name: str) -> Target:
    """Look up a target by name; raises `UsageError` with the nearest name."""
    if name not in TARGETS:
        raise unknown("target", name, TARGETS)
    return TARGETS[name]
