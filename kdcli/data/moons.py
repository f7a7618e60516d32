"""Two interleaved moons in the plane, with their exact posterior.

Class 0 lies on the upper half of the unit circle, (cos t, sin t), class 1 on the lower half of
another, (1 − cos t, ½ − sin t), both with the angle t uniform on [0, π], and isotropic Gaussian
noise of standard deviation σ is added. So the density of a class is the noise density averaged
along its arc, and the posterior follows from both by Bayes' theorem with equal priors. (scikit-learn
spaces the angles of a sample evenly instead of drawing them: a sample covers both arcs more evenly than
independent draws would, and the noise alone varies.)
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

CHUNK = 2048  # points whose noise densities are in memory at once


@dataclass(frozen=True)
class Moons(Sampling):
    """Options of the two moons."""

    n_samples: int = setting(3000, "number of points sampled for training and validation together", minimum=4)
    noise: float = setting(0.3, "standard deviation of the noise", minimum=0.01, maximum=10)


def sample(config: Moons) -> Sample:
    """Sample each draw: balanced classes, a stratified validation split, and a test set of its own."""
    import torch
    from sklearn.datasets import make_moons

    from kdcli.rng import state

    def points(n: int, stream: str, draw: int) -> tuple[Tensor, Tensor]:
        x, y = make_moons(n, noise=config.noise, random_state=state(stream, config.seed, draw))
        return torch.from_numpy(x).float(), torch.from_numpy(y).long()

    return sampled_pool(config, "moons", points, lambda x: posterior(config, x))


def arcs(noise: float) -> tuple[Tensor, Tensor]:
    """Points along both arcs `(2, nodes, 2)` and their weights `(nodes,)`, which sum to 1.

    These are the nodes of Gauss and Legendre over the angle. Seen from a point near the moons, the noise
    density along an arc is a bump about as wide as σ, so that ten nodes for each σ, which lie closer still
    at the ends, leave the posterior an error below 1e-8 within 9 σ of the moons. Much farther away, where
    no data are, the bump is narrower and the error larger.
    """
    import numpy as np
    import torch

    nodes, weights = np.polynomial.legendre.leggauss(max(48, math.ceil(10 / noise)))
    angle = torch.from_numpy((nodes + 1) * math.pi / 2)
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    return torch.stack([upper, lower]), torch.from_numpy(weights) / 2


def posterior(config: Moons, x: Tensor) -> Tensor:
    """P(y|x) of points `x (n, 2)` as `(n, 2)` float64, by quadrature along both arcs in log space."""
    import torch

    points, weights = arcs(config.noise)
    # log of the weighted noise density, without |x|² / 2σ², which both classes share
    offset = weights.log() - points.square().sum(2) / (2 * config.noise**2)
    log_odds = []
    for part in torch.split(x.double(), CHUNK):
        log_density = ((part @ points.mT) / config.noise**2 + offset.unsqueeze(1)).logsumexp(2)
        log_odds.append(log_density[1] - log_density[0])
    odds = torch.cat(log_odds)
    return torch.stack([torch.sigmoid(-odds), torch.sigmoid(odds)], dim=1)


def optimum(config: Moons) -> Optimum:
    """Integrate the Bayes classifier's accuracy and NLL over the plane.

    A Gaussian is the product of its two coordinates, so the densities on a grid are one matrix product.
    Both sums are trapezoid rules: exact to rounding for the smooth NLL, within 1e-6 for the accuracy,
    whose integrand has a kink at the boundary.
    """
    import torch

    points, weights = arcs(config.noise)
    step = max(config.noise / 40, 0.0015)  # below σ = 0.06 the moons hardly overlap, and coarser will do
    margin = 9 * config.noise
    grid = [
        torch.arange(low - margin, high + margin, step, dtype=torch.float64)
        for low, high in ((-1.0, 2.0), (-0.5, 1.0))
    ]
    horizontal, vertical = (
        torch.exp(-((axis.unsqueeze(1) - points[:, None, :, k]) ** 2) / (2 * config.noise**2))
        for k, axis in enumerate(grid)
    )
    joint = (horizontal * weights) @ vertical.mT  # P(class, cell) up to a constant: (2, columns, rows)
    joint /= joint.sum()
    total = joint.sum(0)
    nll = torch.xlogy(total, total).sum() - torch.xlogy(joint, joint).sum()
    # Where the moons are apart, rounding alone would put both beyond what they can be.
    return Optimum(accuracy=min(1.0, float(joint.amax(0).sum())), nll=max(0.0, float(nll)))


DATASET = Dataset(
    summary="two interleaved moons in the plane, exact posterior known",
    config=Moons,
    sample=sample,
    drawing="sampled",
    problems=sampling_problems,
    points=sampled_points,
    posterior=posterior,
    optimum=optimum,
)
