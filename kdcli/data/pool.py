"""The examples of a run, each stored once, and the splits of each draw as indices of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

SPLITS = ("train", "val", "test")


class Split(NamedTuple):
    """One part of a draw: train, val or test.

    x          (n, *features)     float32, or uint8 for images
    y          (n,)               int64 class indices
    posterior  (n, n_classes)     float64, exact P(y|x); None where it is not known
    """

    x: Tensor
    y: Tensor
    posterior: Tensor | None


@dataclass(frozen=True)
class Pool:
    """All examples of a run, in the same form as a `Split`, with the splits of each draw.

    index  (draws, n) int64 indices of the examples of each split; (1, n) if all draws share the test set
    group  (examples,) int64: examples of one group are kept together; None if there are no groups
    """

    x: Tensor
    y: Tensor
    posterior: Tensor | None
    index: Mapping[str, Tensor]
    group: Tensor | None = None

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.index["train"])

    def rows(self, split: str, draw: int = 0) -> Tensor:
        """Return the indices of the examples in a split of one draw, `(n,)`."""
        index = self.index[split]
        return index[draw if len(index) > 1 else 0]

    def split(self, name: str, draw: int = 0) -> Split:
        """Return the examples of a split of one draw."""
        rows = self.rows(name, draw)
        return Split(self.x[rows], self.y[rows], None if self.posterior is None else self.posterior[rows])

    def labels(self, split: str, draw: int = 0) -> Tensor:
        """Return the classes of a split of one draw, `(n,)`."""
        return self.y[self.rows(split, draw)]


def joined(draws: Sequence[Pool]) -> Pool:
    """Join pools of one draw each into a pool of all these draws."""
    import torch

    starts, start = [], 0
    for pool in draws:
        starts.append(start)
        start += len(pool.y)
    posteriors = [pool.posterior for pool in draws if pool.posterior is not None]
    return replace(
        draws[0],
        x=torch.cat([pool.x for pool in draws]),
        y=torch.cat([pool.y for pool in draws]),
        posterior=torch.cat(posteriors) if posteriors else None,
        index={
            name: torch.cat([pool.index[name] + first for pool, first in zip(draws, starts, strict=True)])
            for name in SPLITS
        },
    )
