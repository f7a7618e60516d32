import pytest
import torch
from harness import assert_calibrated

from kdcli.data.gaussians import Gaussians, optimum, posterior, sample


def test_optimum_is_exact() -> None:
    best = optimum(Gaussians())
    assert best.accuracy == pytest.approx(1 - 0.0227501, abs=5e-8)
    assert best.nll == pytest.approx(0.0604270, abs=5e-8)


def test_posterior_agrees_with_sampled_frequencies() -> None:
    assert_calibrated(sample(Gaussians(n_test=400_000, separation=2.0)).pool.split("test"))


def test_posterior_is_the_logistic_function_of_the_first_feature() -> None:
    x = torch.tensor([[0.3, 5.0], [-8.0, 0.0]])
    expected = torch.sigmoid(4 * x[:, 0].double())
    torch.testing.assert_close(posterior(Gaussians(), x)[:, 1], expected)
    assert posterior(Gaussians(), x)[1, 1] > 0  # no underflow to an exact 0
