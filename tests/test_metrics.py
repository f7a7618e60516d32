import math

import pytest
import torch
from torch.nn import functional as F

from kdcli.errors import UsageError
from kdcli.metrics import METRICS, RECORDED, find_metric, mean_over, measure
from kdcli.scored import Scored

RANDOM = torch.Generator().manual_seed(0)
SEEDS, N, CLASSES = 3, 200, 4


@pytest.fixture(scope="module")
def scored() -> Scored:
    logits, teacher, truth = (
        3 * torch.randn(*shape, N, CLASSES, generator=RANDOM) for shape in ((SEEDS,), (), ())
    )
    y = torch.randint(CLASSES, (N,), generator=RANDOM)
    scaling = torch.full(logits.shape[:-2], 1.5, dtype=torch.float64)
    return Scored(logits, y, teacher, truth.double().softmax(1), scaling)


def test_values_are_by_seed_and_example(scored: Scored) -> None:
    for name, metric in METRICS.items():
        values = metric.values(scored)
        assert values.shape[0] == SEEDS
        assert values.shape[1] < N if metric.subset else values.shape[1] == N, name


def test_means_and_totals_are_within_the_range_of_the_metric(scored: Scored) -> None:
    for name, metric in METRICS.items():
        if not metric.inferred:  # which may fall below 0 by chance
            continue
        (per_seed,) = measure(scored, [name]).values()
        assert all(0 < value < metric.most * metric.scale(metric.values(scored)) for value in per_seed), name


def test_measure_has_one_value_per_model_and_recorded_metric() -> None:
    y = torch.tensor([0, 1, 1, 0])
    right = F.one_hot(y, 2) * 4.0
    scores = measure(Scored(torch.stack([right, -right]), y))
    assert tuple(scores) == RECORDED
    assert scores["accuracy"] == [1.0, 0.0]
    assert scores["errors"] == [0, 4]
    assert scores["nll"] == pytest.approx([math.log1p(math.exp(-4)), math.log1p(math.exp(4))])


def test_the_mean_over_draws_and_seeds_is_that_of_all_models() -> None:
    assert mean_over([[1.0, 2.0], [4.0, 8.0]]) == 3.75
    assert mean_over([[1.0], [3.0]]) == 2.0
    assert mean_over([[0.1] * 3] * 7) == 0.1  # without rounding
    assert (errors := mean_over([[7]])) == 7
    assert isinstance(errors, int)  # the number of one model as it is recorded


def test_unknown_metric_and_what_a_metric_needs(scored: Scored) -> None:
    with pytest.raises(UsageError, match="did you mean brier"):
        find_metric("brie")
    without = Scored(scored.logits, scored.y)
    for name, metric in METRICS.items():
        if metric.needs == "labels":
            assert torch.equal(metric.values(without), metric.values(scored)), name
        else:
            with pytest.raises(ValueError, match="needs"):
                metric.values(without)
