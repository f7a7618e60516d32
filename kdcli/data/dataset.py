"""What a dataset is: its options, how it is sampled, and what is known of it exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from torch import Generator, Tensor

C = TypeVar("C")


class Split(NamedTuple):
    """One part of a dataset: train, val or test.

    x          (n, *features)     float32, or uint8 for images
    y          (n,)               int64 class indices
    posterior  (n, n_classes)     float64, exact P(y|x); None where it is not known
    """

    x: Tensor
    y: Tensor
    posterior: Tensor | None


class Optimum(NamedTuple):
    """What the Bayes classifier scores over the whole distribution."""

    accuracy: float
    nll: float  # nats


@dataclass(frozen=True)
class Dataset(Generic[C]):
    """A kind of dataset.

    `config` is the dataclass of its options. `problems` finds what single ranges cannot express.
    `sample` returns the splits train, val and test. Where the truth is known, `posterior` maps
    x `(n, *features)` to P(y|x) `(n, n_classes)` and `optimum` gives the exact Bayes scores.
    """

    summary: str
    n_classes: int
    config: type[C]
    sample: Callable[[C], Mapping[str, Split]]
    problems: Callable[[C], list[str]] = lambda config: []
    posterior: Callable[[C, Tensor], Tensor] | None = None
    optimum: Callable[[C], Optimum] | None = None


def stratified_split(y: Tensor, fraction: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Split the examples with labels `y (n,)` at random into a rest and a `fraction`, class by class.

    Returns two shuffled index tensors; the second holds round(fraction · count) examples of each class.
    """
    import torch

    rest, part = [], []
    for label in torch.unique(y):
        members = (y == label).nonzero().squeeze(1)
        members = members[torch.randperm(len(members), generator=generator)]
        size = round(fraction * len(members))
        part.append(members[:size])
        rest.append(members[size:])

    def shuffled(parts: list[Tensor]) -> Tensor:
        index = torch.cat(parts)
        return index[torch.randperm(len(index), generator=generator)]

    return shuffled(rest), shuffled(part)
