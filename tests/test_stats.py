import math

import pytest
import scipy.stats
import torch

from kdcli.stats import crossed_mean


def test_one_seed_gives_the_usual_interval_over_examples() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    estimate = crossed_mean(values)
    half = 3.182446305 * values.std().item() / 2  # t quantile at 3 degrees of freedom
    assert estimate == pytest.approx((2.5, 2.5 - half, 2.5 + half), rel=1e-6)


def test_equal_examples_give_the_usual_interval_over_seeds() -> None:
    values = torch.tensor([[1.0], [2.0], [4.0]]).expand(3, 50)
    estimate = crossed_mean(values)
    half = 4.302652730 * math.sqrt(torch.tensor([1.0, 2.0, 4.0]).var().item() / 3)  # 2 degrees of freedom
    assert estimate == pytest.approx((7 / 3, 7 / 3 - half, 7 / 3 + half), rel=1e-5)


def test_both_sources_add_up() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0], [2.0, 5.0, 3.0]])
    examples = torch.tensor([1.5, 3.5, 3.0]).var().item() / 3
    seeds = torch.tensor([2.0, 10 / 3]).var().item() / 2
    freedom = (seeds + examples) ** 2 / (seeds**2 + examples**2 / 2)
    half = scipy.stats.t.ppf(0.975, freedom) * math.sqrt(seeds + examples)
    assert crossed_mean(values) == pytest.approx((8 / 3, 8 / 3 - half, 8 / 3 + half), rel=1e-6)


def test_no_spread_at_all() -> None:
    assert crossed_mean(torch.ones(3, 4)) == (1, 1, 1)


@pytest.mark.parametrize(("seed_sd", "example_sd"), [(0.0, 1.0), (0.3, 1.0), (0.3, 0.0)])
def test_the_interval_covers_the_mean(seed_sd: float, example_sd: float) -> None:
    random = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(400):
        seeds = seed_sd * torch.randn(6, 1, generator=random)
        examples = example_sd * torch.randn(1, 80, generator=random)
        estimate = crossed_mean(seeds + examples + 0.5 * torch.randn(6, 80, generator=random))
        covered += estimate.low <= 0 <= estimate.high
        width = estimate.high - estimate.low
        assert width < 12 * (seed_sd**2 / 6 + example_sd**2 / 80 + 0.25 / 480) ** 0.5 + 0.2
    assert covered / 400 >= 0.917  # 95 %, less three times the error of 400 trials
