"""Stratified splits, in which each class has its share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


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
