import math

import pytest
import torch
from scipy.optimize import minimize_scalar

from kdcli.rng import generator
from kdcli.scaling import temperature
from kdcli.scored import Scored, nll, nll_scaled


def sample(n: int = 500, classes: int = 3, models: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of several models, of different confidence, and labels that they partly predict."""
    random = generator("scaling", 0)
    z = torch.randn(n, classes, generator=random)
    y = (z - torch.rand(z.shape, generator=random).log().neg().log()).argmax(1)
    confidence = torch.tensor([0.3, 1.0, 3.0, 10.0])[:models]
    noise = 0.3 * torch.randn(models, n, classes, generator=random)
    return confidence[:, None, None] * (z + noise), y


def test_it_has_the_lowest_nll() -> None:
    logits, y = sample()
    for model, found in zip(logits, temperature(logits, y), strict=True):
        best = minimize_scalar(
            lambda t, z=model: float(nll(Scored(z / math.exp(t), y)).mean()), bounds=(-4, 4), method="bounded"
        )
        assert math.log(found) == pytest.approx(best.x, abs=1e-4)


def test_confidence_alone_makes_no_difference_once_it_is_scaled() -> None:
    logits, y = sample()
    found = temperature(logits, y)
    for factor in (0.6, 1.4):
        scaled = temperature(factor * logits, y)
        torch.testing.assert_close(scaled, factor * found)
        before, after = (
            nll_scaled(Scored(z, y, scaling=t)) for z, t in ((logits, found), (factor * logits, scaled))
        )
        torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)


def test_a_constant_added_to_logits_changes_nothing() -> None:
    logits, y = sample()
    torch.testing.assert_close(temperature(logits + 1000, y), temperature(logits, y), rtol=1e-2, atol=1e-3)


def test_what_excludes_a_label_is_left_as_it_is() -> None:
    logits = torch.tensor([[[0.0, -math.inf], [0.0, 1.0]], [[0.0, -math.inf], [0.5, 0.4]]])
    y = torch.tensor([0, 1])
    found = temperature(logits, y)
    assert torch.isfinite(found).all()
    excluded = temperature(logits, torch.tensor([1, 1]))
    assert excluded.tolist() == [1.0, 1.0]
    assert bool(nll_scaled(Scored(logits, torch.tensor([1, 1]), scaling=excluded)).isinf().any())


def test_a_model_that_has_all_labels_right_is_left_as_it_is() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    assert float(temperature(logits, torch.tensor([0, 1]))) == 1


def test_scaling_on_some_examples_does_no_harm_on_others() -> None:
    logits, y = sample(2000)
    few, others = slice(0, 100), slice(100, None)
    scaling = temperature(logits[:, few], y[few])
    before, after = (
        nll(Scored(z, y[others])).mean(-1)
        for z in (logits[:, others], logits[:, others] / scaling[:, None, None])
    )
    assert bool((after < 1.1 * before).all())
    assert bool((after[2:] < 0.9 * before[2:]).all())  # of those that are too sure
