"""What a dataset is: its options, how it is sampled, and what is known of it exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from kdcli.settings import setting

if TYPE_CHECKING:
    from torch import Generator, Tensor

C = TypeVar("C")

SPLITS = ("train", "val", "test")
PLANE = ("x₁", "x₂")  # names of the features of points in the plane


class Split(NamedTuple):
    """One part of a dataset: train, val or test.

    x          (n, *features)     float32, or uint8 for images
    y          (n,)               int64 class indices
    posterior  (n, n_classes)     float64, exact P(y|x); None where it is not known
    """

    x: Tensor
    y: Tensor
    posterior: Tensor | None


class Sample(NamedTuple):
    """What a dataset gives: its splits, and what its classes and features are called.

    Features that are pixels have no names.
    """

    splits: Mapping[str, Split]
    classes: tuple[str, ...]
    feature_names: tuple[str, ...] = ()


class Optimum(NamedTuple):
    """What the Bayes classifier scores over the whole distribution."""

    accuracy: float
    nll: float  # nats


@dataclass(frozen=True)
class File:
    """A file that a dataset is read from: its name, the SHA-256 of its content, and where it is found."""

    name: str
    sha256: str
    mirrors: tuple[str, ...]


@dataclass(frozen=True)
class Dataset(Generic[C]):
    """A kind of dataset: how its data are made. What the data of a run are is in their `Description`.

    `config` is the dataclass of its options, which has a `seed`. `problems` finds what single ranges cannot
    express. `sample` returns the splits train, val and test, with the names of classes and features. One
    that is read from `files` gets their contents by name as a second argument, and raises ValueError if they
    are not what they should be; data of other files than the published ones are called `others`. `points`
    counts what it samples anew, by the setting that asks for it. Where the truth is known, `posterior` maps x
    `(n, *features)` to P(y|x) `(n, n_classes)` and `optimum` gives the exact Bayes scores.
    """

    summary: str
    config: type[C]
    sample: Callable[..., Sample]
    files: tuple[File, ...] = ()
    others: str = ""
    problems: Callable[[C], list[str]] = lambda config: []
    points: Callable[[C], Mapping[str, int]] = lambda config: {}
    posterior: Callable[[C, Tensor], Tensor] | None = None
    optimum: Callable[[C], Optimum] | None = None


@dataclass(frozen=True)
class Sampling:
    """Options of every dataset that is sampled: classes of equal size, and a test set drawn afresh."""

    n_samples: int = setting(2000, "number of points sampled for training and validation together", minimum=4)
    val_fraction: float = setting(
        0.2, "share of the points that is held out for validation", above=0, below=1
    )
    n_test: int = setting(20_000, "number of test examples", minimum=2)
    seed: int = setting(0, "random seed of the data", minimum=0)


def sampling_problems(config: Sampling, n_classes: int = 2) -> list[str]:
    """Every class must appear in training, in validation and in the test set."""
    problems = []
    smallest = min(config.n_samples // n_classes, 2**52)  # beyond it a share is no exact number any more
    if not 0 < round(config.val_fraction * smallest) < smallest:
        problems.append(
            f"{config.n_samples} samples with a validation fraction of {config.val_fraction:g} leave a split "
            f"without one of the {n_classes} classes; take more samples or another fraction"
        )
    if config.n_test < n_classes:
        problems.append(f"{config.n_test} test examples are fewer than the {n_classes} classes")
    return problems


def sampled_points(config: Sampling) -> dict[str, int]:
    """Count the points to be sampled, by setting."""
    return {"n_samples": config.n_samples, "n_test": config.n_test}


def sampled_splits(
    config: Sampling,
    stream: str,
    draw: Callable[[int, str], tuple[Tensor, Tensor]],
    posterior: Callable[[Tensor], Tensor],
    classes: tuple[str, ...] = ("0", "1"),
    feature_names: tuple[str, ...] = PLANE,
) -> Sample:
    """Draw classes of equal size: validation stratified, the test set afresh.

    `draw(n, stream)` gives shuffled points `x (n, features)` with their labels `y (n,)` from the random
    stream of that name, as even as n allows: the first classes have one more. `posterior` gives their P(y|x).
    """
    from kdcli.rng import generator

    x, y = draw(config.n_samples, stream)
    n_classes = len(classes)
    n_val = sum(round(config.val_fraction * len(range(k, len(y), n_classes))) for k in range(n_classes))
    train, val = stratified_split(y, n_val, generator(f"{stream}/split", config.seed))
    x_test, y_test = draw(config.n_test, f"{stream}/test")
    splits = {
        "train": Split(x[train], y[train], posterior(x[train])),
        "val": Split(x[val], y[val], posterior(x[val])),
        "test": Split(x_test, y_test, posterior(x_test)),
    }
    return Sample(splits, classes, feature_names)


def stratified_split(y: Tensor, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Split the examples with labels `y (n,)` at random into a rest and a part of `size`, class by class.

    Returns two shuffled index tensors. Each class has its share of the part, rounded so that the shares
    add up (the largest remainders are rounded up).
    """
    import torch

    labels, counts = torch.unique(y, return_counts=True)
    exact = size * counts.double() / len(y)
    shares = exact.floor().long()
    up = (exact - shares).argsort(descending=True, stable=True)[: size - int(shares.sum())]
    shares[up] += 1
    rest, part = [], []
    for label, share in zip(labels, shares.tolist(), strict=True):
        members = (y == label).nonzero().squeeze(1)
        members = members[torch.randperm(len(members), generator=generator)]
        part.append(members[:share])
        rest.append(members[share:])

    def shuffled(parts: list[Tensor]) -> Tensor:
        index = torch.cat(parts)
        return index[torch.randperm(len(index), generator=generator)]

    return shuffled(rest), shuffled(part)
