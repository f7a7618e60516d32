from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics
import torch
from torch import Tensor

from kdcli.ranking import area_values, precision_values

RANDOM = torch.Generator().manual_seed(0)
KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "distinct": lambda scores: scores,
    "tied": lambda scores: (2 * scores).round(),
    "of two values": lambda scores: (scores > 0.5).double(),
    "excluded": lambda scores: torch.where(scores > 0, scores, -torch.inf),
    "constant": torch.zeros_like,
}
METRICS = {
    area_values: sklearn.metrics.roc_auc_score,
    precision_values: sklearn.metrics.average_precision_score,
}


def case(kind: str, n: int = 60, share: float = 0.3) -> tuple[Tensor, Tensor]:
    """Return scores `(3, n)` of some kind, and which examples are of the class."""
    positive = torch.rand(n, generator=RANDOM) < share
    positive[:2] = torch.tensor([True, False])
    scores = torch.randn(3, n, generator=RANDOM).double() + positive
    return KINDS[kind](scores), positive


@pytest.mark.parametrize("values", METRICS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])  # with one of the class at least, and one of the others
def test_means_are_those_of_scikit_learn(
    values: Callable[[Tensor, Tensor], Tensor], kind: str, share: float
) -> None:
    scores, positive = case(kind, share=share)
    finite = scores.clamp(min=-1e9)  # as scikit-learn wants them
    for of_model, theirs in zip(values(scores, positive), finite, strict=True):
        expected = METRICS[values](positive.numpy(), theirs.numpy())
        assert float(of_model.mean()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("values", METRICS)
def test_scores_count_by_their_order_alone(values: Callable[[Tensor, Tensor], Tensor]) -> None:
    scores, positive = case("distinct")
    assert torch.equal(values(scores.exp(), positive), values(scores, positive))
    turned = torch.randperm(60, generator=RANDOM)
    torch.testing.assert_close(
        values(scores[:, turned], positive[turned]), values(scores, positive)[:, turned]
    )
    assert torch.equal(values(scores[1], positive), values(scores, positive)[1])


def test_turning_scores_and_classes_round_leaves_the_area() -> None:
    scores, positive = case("tied")
    torch.testing.assert_close(area_values(-scores, ~positive), area_values(scores, positive))
    torch.testing.assert_close(area_values(-scores, positive), 1 - area_values(scores, positive))


def test_constant_scores_rank_as_chance_does() -> None:
    scores, positive = case("constant")
    assert bool((area_values(scores, positive) == 0.5).all())
    share = float(positive.double().mean())
    torch.testing.assert_close(
        precision_values(scores, positive).mean(-1), torch.full((3,), share, dtype=torch.float64)
    )


def test_a_perfect_ranking_is_one_for_certain() -> None:
    positive = torch.arange(20) >= 17
    for values in METRICS:
        torch.testing.assert_close(
            values(torch.arange(20.0).double(), positive), torch.ones(20, dtype=torch.float64)
        )


def delong(scores: Tensor, positive: Tensor) -> float:
    """Return the variance of the area, by the definition: from the scores of all pairs."""
    ones, others = scores[positive].unsqueeze(1), scores[~positive].unsqueeze(0)
    wins = (ones > others).double() + (ones == others).double() / 2
    return float(wins.mean(1).var() / len(wins) + wins.mean(0).var() / wins.shape[1])


@pytest.mark.parametrize("kind", ["distinct", "tied", "of two values"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_variance_of_the_area_is_that_of_delong(kind: str, share: float) -> None:
    scores, positive = case(kind, n=1000, share=share)
    for of_model, theirs in zip(area_values(scores, positive), scores, strict=True):
        assert float(of_model.var()) / 1000 == pytest.approx(delong(theirs, positive), rel=0.03)


@pytest.mark.parametrize("kind", ["distinct", "tied"])
@pytest.mark.parametrize("values", METRICS)
def test_values_are_the_metric_and_its_slope_in_the_weight_of_each_example(
    values: Callable[[Tensor, Tensor], Tensor], kind: str
) -> None:
    """An example that counts a little more than the others moves scikit-learn's metric by its own value."""
    scores, positive = case(kind)
    y, theirs = positive.numpy(), scores[0].numpy()
    metric, step = METRICS[values], 1e-4
    for k, value in enumerate(values(scores[0], positive).tolist()):
        weights = np.ones(60)
        ends = []
        for change in (step, -step):
            weights[k] = 1 + change
            ends.append(metric(y, theirs, sample_weight=weights))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert value == pytest.approx(metric(y, theirs) + 60 * slope, abs=1e-5)
