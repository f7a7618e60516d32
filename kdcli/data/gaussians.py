"""Two overlapping Gaussian clusters in the plane, with their exact posterior.

Class 0 ~ N((−δ/2, 0), I) and class 1 ~ N((+δ/2, 0), I) with equal priors, δ the separation.
Then log P(1|x) / P(0|x) = δ · x₁, and the Bayes error is Φ(−δ/2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdcli.data.dataset import Dataset, Optimum, Split, stratified_split
from kdcli.settings import setting

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class Gaussians:
    """Options of the two clusters."""

    n_samples: int = setting(2000, "points to sample for training and validation together", minimum=4)
    separation: float = setting(
        4.0, "distance between the means of the clusters, in sd", above=0, maximum=100
    )
    val_fraction: float = setting(0.2, "share of the points kept for validation", above=0, below=1)
    n_test: int = setting(20_000, "points in the fresh test set", minimum=2)
    seed: int = setting(0, "seed of the sample and of its split", minimum=0)


def problems(config: Gaussians) -> list[str]:
    """Both classes must appear in training and in validation."""
    smaller = config.n_samples // 2
    if 0 < round(config.val_fraction * smaller) < smaller:
        return []
    return [
        f"{config.n_samples} samples with a validation fraction of {config.val_fraction:g} leave a split "
        "without one of the two classes; take more samples or another fraction"
    ]


def sample(config: Gaussians) -> dict[str, Split]:
    """Draw the splits: balanced classes, shuffled, validation stratified, the test set drawn afresh."""
    from kdcli.rng import generator

    x, y = _draw(config.n_samples, config.separation, generator("gaussians", config.seed))
    train, val = stratified_split(y, config.val_fraction, generator("gaussians/split", config.seed))
    x_test, y_test = _draw(config.n_test, config.separation, generator("gaussians/test", config.seed))
    return {
        "train": Split(x[train], y[train], posterior(config, x[train])),
        "val": Split(x[val], y[val], posterior(config, x[val])),
        "test": Split(x_test, y_test, posterior(config, x_test)),
    }


def _draw(n: int, separation: float, generator: Generator) -> tuple[Tensor, Tensor]:
    import torch

    y = torch.arange(n) % 2  # balanced; the order is shuffled with the points
    y = y[torch.randperm(n, generator=generator)]
    x = torch.randn(n, 2, generator=generator)
    x[:, 0] += separation * (y - 0.5)
    return x, y


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
    n_classes=2,
    config=Gaussians,
    sample=sample,
    problems=problems,
    posterior=posterior,
    optimum=optimum,
)
