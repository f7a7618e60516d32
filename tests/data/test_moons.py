import math

import numpy as np
import pytest
import torch
from harness import assert_calibrated
from sklearn.datasets import make_moons

from kdcli.data.moons import Moons, arcs, optimum, posterior, sample

REFERENCE = {0.1: (0.000643, 0.001838), 0.2: (0.028956, 0.076256), 0.3: (0.085410, 0.210286)}


@pytest.mark.parametrize("noise", REFERENCE)
def test_optimum_by_integration_over_the_plane(noise: float) -> None:
    best = optimum(Moons(noise=noise))
    error, nll = REFERENCE[noise]
    assert 1 - best.accuracy == pytest.approx(error, abs=1e-6)
    assert best.nll == pytest.approx(nll, abs=6e-7)  # the reference is rounded to 1e-6


@pytest.mark.parametrize("noise", [0.01, 0.05, 10.0])
def test_optimum_stays_what_it_can_be(noise: float) -> None:
    best = optimum(Moons(noise=noise))
    assert 0.5 < best.accuracy <= 1
    assert 0 <= best.nll < math.log(2)


def test_the_arcs_are_those_of_make_moons() -> None:
    x, y = make_moons(200, noise=None)
    points, weights = arcs(0.01)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
    for label in (0, 1):
        distance = torch.cdist(torch.from_numpy(x[y == label]), points[label])
        assert float(distance.min(1).values.max()) < 0.01  # each lies between two nodes of its own arc
        assert float(distance.min(0).values.max()) < 0.02  # and they reach both of its ends


def simpson(noise: float, x: tuple[float, float]) -> float:
    """P(1|x) by Simpson's rule on 20 000 steps."""
    t = np.linspace(0, np.pi, 20_001)
    weights = np.where(np.arange(len(t)) % 2, 4, 2)
    weights[[0, -1]] = 1
    arcs = (np.cos(t), np.sin(t)), (1 - np.cos(t), 0.5 - np.sin(t))
    exponents = [-((x[0] - a) ** 2 + (x[1] - b) ** 2) / (2 * noise**2) for a, b in arcs]
    zero, one = (weights @ np.exp(e - np.max(exponents)) for e in exponents)
    return float(one / (zero + one))


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.3, 1.0])
def test_posterior_against_quadrature_of_another_kind(noise: float) -> None:
    places = [
        (0.5, 0.25),
        (0.45, 0.3),
        (-0.3, 0.2),
        (1.2, 0.1),
        (0.0, 0.55),
        (2.5, 1.0),
        (-1.2, -0.6),
        (1, 0),
    ]
    mine = posterior(Moons(noise=noise), torch.tensor(places))
    rounded = torch.tensor(places).double().tolist()  # the places as float32 has them
    expected = torch.tensor([simpson(noise, (a, b)) for a, b in rounded], dtype=torch.float64)
    torch.testing.assert_close(mine[:, 1], expected, rtol=0, atol=1e-7)
    torch.testing.assert_close(mine.sum(1), torch.ones(len(places)).double())


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.3, 1.0])
def test_posterior_within_nine_sd_of_the_moons(noise: float) -> None:
    random = torch.rand(60, 2, generator=torch.Generator().manual_seed(0))
    corner, size = torch.tensor([-1.0, -0.5]) - 9 * noise, torch.tensor([3.0, 1.5]) + 18 * noise
    x = corner + random * size
    expected = torch.tensor([simpson(noise, (a, b)) for a, b in x.double().tolist()], dtype=torch.float64)
    torch.testing.assert_close(posterior(Moons(noise=noise), x)[:, 1], expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("noise", [0.2, 0.3, 1.0])
def test_posterior_agrees_with_sampled_frequencies(noise: float) -> None:
    assert_calibrated(sample(Moons(noise=noise, n_test=400_000)).pool.split("test"))


def test_each_moon_is_the_other_turned_around_their_centre() -> None:
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)).double()
    turned = torch.tensor([1.0, 0.5]).double() - x
    mine, other = (posterior(Moons(), points) for points in (x, turned))
    torch.testing.assert_close(mine[:, 1], other[:, 0], rtol=0, atol=1e-9)


def test_noise_of_the_sample() -> None:
    split = sample(Moons(noise=0.05, n_test=4000)).pool.split("test")
    points, _ = arcs(0.01)
    for label in (0, 1):
        distance = torch.cdist(split.x[split.y == label].double(), points[label]).min(1).values
        assert float(distance.square().mean().sqrt()) == pytest.approx(0.05, rel=0.1)
