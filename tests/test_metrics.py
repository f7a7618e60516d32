import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
from torch.nn import functional as F

from kdcli.data import DATASETS
from kdcli.data.gaussians import Gaussians, posterior, sample
from kdcli.errors import UsageError
from kdcli.metrics import METRICS, RECORDED, find_metric, mean_over, measure
from kdcli.scored import Scored, nll

RANDOM = torch.Generator().manual_seed(0)
SEEDS, N, CLASSES = 3, 200, 4


@pytest.fixture(scope="module")
def scored() -> Scored:
    logits = 3 * torch.randn(SEEDS, N, CLASSES, generator=RANDOM)
    teacher = 3 * torch.randn(N, CLASSES, generator=RANDOM)
    truth = (2 * torch.randn(N, CLASSES, generator=RANDOM)).double().softmax(1)
    return Scored(logits, torch.multinomial(truth, 1, generator=RANDOM).squeeze(1), teacher, truth)


def mean(name: str, scored: Scored) -> list[float]:
    return measure(scored, [name])[name]


def test_against_scikit_learn_and_scipy(scored: Scored) -> None:
    y, p = scored.y.numpy(), scored.log_p.exp().numpy()
    assert scored.teacher is not None
    assert scored.posterior is not None
    teacher, truth = scored.teacher.double().softmax(1).numpy(), scored.posterior.numpy()
    for s in range(SEEDS):
        predicted = p[s].argmax(1)
        expected = {
            "accuracy": sklearn.metrics.accuracy_score(y, predicted),
            "errors": (y != predicted).sum(),
            "nll": sklearn.metrics.log_loss(y, p[s]),
            "brier": sum(
                sklearn.metrics.brier_score_loss(y == c, p[s, :, c], pos_label=True) for c in range(CLASSES)
            ),
            "agreement": sklearn.metrics.accuracy_score(teacher.argmax(1), predicted),
            "kl_teacher": scipy.stats.entropy(teacher, p[s], axis=1).mean(),
            "kl_posterior": scipy.stats.entropy(truth, p[s], axis=1).mean(),
            "excess_error": (truth.max(1) - truth[np.arange(N), predicted]).mean(),
        }
        for name, value in expected.items():
            assert mean(name, scored)[s] == pytest.approx(value, abs=1e-9), name


def test_calibration_error_is_the_weighted_gap_of_fifteen_bins(scored: Scored) -> None:
    for s in range(SEEDS):
        p = scored.log_p[s].exp().amax(1).numpy()
        right = (scored.logits[s].argmax(1) == scored.y).numpy()
        edges = np.linspace(0, 1, 16)
        expected = 0.0
        for low, high in pairwise(edges):
            inside = (p > low) & (p <= high)
            if inside.any():
                expected += inside.mean() * abs(right[inside].mean() - p[inside].mean())
        assert mean("ece", scored)[s] == pytest.approx(expected)


def test_agreement_is_split_by_whether_the_teacher_is_right(scored: Scored) -> None:
    assert scored.teacher is not None
    right = (scored.teacher.argmax(1) == scored.y).double().mean()
    for s in range(SEEDS):
        parts = [mean(f"agreement_where_{part}", scored)[s] for part in ("right", "wrong")]
        whole = right * parts[0] + (1 - right) * parts[1]
        assert mean("agreement", scored)[s] == pytest.approx(float(whole))


def test_values_are_by_seed_and_example(scored: Scored) -> None:
    for name, metric in METRICS.items():
        values = metric.values(scored)
        part = name.startswith("agreement_where")
        assert values.shape[0] == SEEDS
        assert values.shape[1] < N if part else values.shape[1] == N


def test_the_bayes_classifier_has_no_excess() -> None:
    test = sample(Gaussians(n_test=500)).pool.split("test")
    assert test.posterior is not None
    scored = Scored(test.posterior.log().unsqueeze(0), test.y, None, test.posterior)
    assert mean("excess_error", scored) == [0.0]
    assert mean("kl_posterior", scored)[0] == pytest.approx(0, abs=1e-12)
    worst = Scored(-test.posterior.log().unsqueeze(0), test.y, None, test.posterior)
    assert mean("excess_error", worst)[0] == pytest.approx(
        float((test.posterior[:, 0] - test.posterior[:, 1]).abs().mean())
    )


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1, 0.0604270), (2, 0.0859457), (4, 0.1827370), (8, 0.3375503), (20, 0.5177995)],
)
def test_likelihood_of_the_tempered_posterior_on_gaussians(temperature: float, expected: float) -> None:
    test = sample(Gaussians(n_test=40_000)).pool.split("test")
    logits = posterior(Gaussians(), test.x).log() / temperature
    values = nll(Scored(logits, test.y))
    error = float(values.std()) / len(values) ** 0.5
    assert float(values.mean()) == pytest.approx(expected, abs=4 * error)
    assert DATASETS["gaussians"].optimum is not None


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


def test_nothing_is_clipped() -> None:
    y = torch.tensor([1, 0])
    excludes = torch.tensor([[[0.0, -torch.inf], [0.0, -torch.inf]], [[0.0, -1e4], [0.0, -1e4]]])
    scored = Scored(excludes, y, torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))
    assert METRICS["nll"].values(scored)[:, 0].tolist() == pytest.approx([math.inf, 1e4])
    divergence = METRICS["kl_teacher"].values(scored)
    assert divergence[0].tolist() == [0.0, math.inf]  # what the teacher excludes does not count
    assert METRICS["brier"].values(scored)[0].tolist() == [2.0, 0.0]


def test_unknown_metric_and_what_a_metric_needs() -> None:
    with pytest.raises(UsageError, match="did you mean brier"):
        find_metric("brie")
    with pytest.raises(ValueError, match="needs"):
        METRICS["agreement"].values(Scored(torch.zeros(1, 2, 2), torch.tensor([0, 1])))
