"""Two overlapping Gaussian clusters in the plane, with their exact posterior.

Class 0 ~ N((−δ/2, 0), I) and class 1 ~ N((+δ/2, 0), I) with equal priors, δ the separation.
Then log P(1|x) / P(0|x) = δ · x₁, and the Bayes error is Φ(−δ/2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdcli.data.dataset import (
    Dataset,
    Optimum,
    Sample,
    Sampling,
    sampled_points,
    sampled_pool,
    sampling_problems,
)
from kdcli.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Gaussians(Sampling):
    """Options of the two clusters."""

    separation: float = setting(
        4.0, "distance between the cluster means, in standard deviations", above=0, maximum=100
    )


def sample(config: Gaussians) -> Sample:
    """Sample each draw: balanced classes, a stratified validation split, and a test set of its own."""
    import torch

    from kdcli.rng import generator

    def points(n: int, stream: str, draw: int) -> tuple[Tensor, Tensor]:
        random = generator(stream, config.seed, draw)
        y = torch.arange(n) % 2  # balanced; the order is shuffled with the points
        y = y[torch.randperm(n, generator=random)]
        x = torch.randn(n, 2, generator=random)
        x[:, 0] += config.separation * (y - 0.5)
        return x, y

    return sampled_pool(config, "gaussians", points, lambda x: posterior(config, x))


def posterior(config: Gaussians, x: Tensor) -> Tensor:
    """P(y|x) of points `x (n, 2)` as `(n, 2)` float64: P(1|x) = sigmoid(δ · x₁)."""
    import torch

    log_odds = config.separation * x[:, 0].double()
    return torch.stack([torch.sigmoid(-log_odds), torch.sigmoid(log_odds)], dim=1)


def optimum(config: Gaussians) -> Optimum:
    """Accuracy Φ(δ/2), and the expected −log sigmoid(δ · x₁) over x₁ ~ N(δ/2, 1) of class 1.

    The integrand is smooth and falls off like a Gaussian, so the trapezoid rule on a fine grid
    is exact to rounding.
    """
    half = config.separation / 2
    step = 1 / 512
    grid = [k * step for k in range(-12 * 512, 12 * 512 + 1)]

    def cost(u: float) -> float:
        t = config.separation * (half + u)
        return math.log1p(math.exp(-t)) if t > 0 else math.log1p(math.exp(t)) - t

    density = (math.exp(-u * u / 2) / math.sqrt(2 * math.pi) for u in grid)
    nll = step * math.fsum(p * cost(u) for p, u in zip(density, grid, strict=True))
    return Optimum(accuracy=0.5 * math.erfc(-half / math.sqrt(2)), nll=nll)


DATASET = Dataset(
    summary="two overlapping Gaussian clusters in the plane, exact posterior known",
    config=Gaussians,
    sample=sample,
    drawing="sampled",
    problems=sampling_problems,
    points=sampled_points,
    posterior=posterior,
    optimum=optimum,
)
