import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kdcli import scored as of
from kdcli.data.gaussians import Gaussians, posterior, sample
from kdcli.scored import Scored

RANDOM = torch.Generator().manual_seed(0)
SEEDS, N, CLASSES = 3, 200, 4


@pytest.fixture(scope="module")
def scored() -> Scored:
    logits = 3 * torch.randn(SEEDS, N, CLASSES, generator=RANDOM)
    teacher = 3 * torch.randn(N, CLASSES, generator=RANDOM)
    truth = (2 * torch.randn(N, CLASSES, generator=RANDOM)).double().softmax(1)
    return Scored(logits, torch.multinomial(truth, 1, generator=RANDOM).squeeze(1), teacher, truth)


def test_against_scikit_learn_and_scipy(scored: Scored) -> None:
    y, p = scored.y.numpy(), scored.log_p.exp().numpy()
    assert scored.teacher is not None
    assert scored.posterior is not None
    teacher, truth = scored.teacher.double().softmax(1).numpy(), scored.posterior.numpy()
    for s in range(SEEDS):
        predicted = p[s].argmax(1)
        expected: dict[Callable[[Scored], Tensor], float] = {
            of.hits: sklearn.metrics.accuracy_score(y, predicted),
            of.misses: (y != predicted).mean(),
            of.nll: sklearn.metrics.log_loss(y, p[s]),
            of.brier: sum(
                sklearn.metrics.brier_score_loss(y == c, p[s, :, c], pos_label=True) for c in range(CLASSES)
            ),
            of.agreement: sklearn.metrics.accuracy_score(teacher.argmax(1), predicted),
            of.kl_teacher: scipy.stats.entropy(teacher, p[s], axis=1).mean(),
            of.kl_posterior: scipy.stats.entropy(truth, p[s], axis=1).mean(),
            of.excess_error: (truth.max(1) - truth[np.arange(N), predicted]).mean(),
            of.balanced_hits: sklearn.metrics.balanced_accuracy_score(y, predicted),
            of.roc_area: sklearn.metrics.roc_auc_score(y, p[s], multi_class="ovr"),
            of.average_precision: sklearn.metrics.average_precision_score(one_hot(scored.y).numpy(), p[s]),
        }
        for values, value in expected.items():
            assert float(values(scored)[s].mean()) == pytest.approx(value, abs=1e-9), values.__name__


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
        assert float(of.calibration_gap(scored)[s].mean()) == pytest.approx(expected)


def binned_brier(scored: Scored) -> Tensor:
    """The Brier score of each model, were every probability the mean of its bin."""
    p = of.Binned.of(scored).p
    return (p - one_hot(scored.y, CLASSES).mT.double()).square().sum(-2).mean(-1)


def test_the_brier_score_is_reliability_less_resolution_and_what_is_uncertain_anyway(scored: Scored) -> None:
    share = scored.y.bincount(minlength=CLASSES) / N
    uncertain = float((share * (1 - share)).sum()) * N / (N - 1)
    parts = (values(scored).mean(-1) for values in (of.reliability, of.resolution))
    reliability, resolution = parts
    torch.testing.assert_close(
        reliability - resolution + uncertain, binned_brier(scored), rtol=1e-6, atol=1e-6
    )


def test_models_that_are_calibrated_have_no_reliability_on_average() -> None:
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(400, 200, CLASSES, generator=random)
    y = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1, generator=random).view(400, 200)
    scores = [Scored(x, labels) for x, labels in zip(logits, y, strict=True)]
    means = torch.stack([of.reliability(one).mean() for one in scores])
    assert abs(float(means.mean())) < 4 * float(means.std()) / 400**0.5
    biased = torch.stack(
        [(of.Binned.of(one).p - of.Binned.of(one).frequency).square().sum(-2).mean() for one in scores]
    )
    assert float(biased.mean()) > 10 * abs(float(means.mean()))  # what is taken off matters


def test_who_says_the_same_of_every_example_resolves_nothing() -> None:
    y = torch.arange(400) % 4
    same = Scored(torch.zeros(400, CLASSES), y)
    assert float(of.resolution(same).mean()) == pytest.approx(0, abs=1e-9)
    assert float(of.reliability(same).mean()) == pytest.approx(-0.75 / 399, abs=1e-9)
    sure = Scored(50 * one_hot(y).double(), y)
    assert float(of.resolution(sure).mean()) == pytest.approx(0.75 * 400 / 399, abs=1e-9)
    assert float(of.reliability(sure).mean()) == pytest.approx(0, abs=1e-9)


def test_agreement_is_split_by_whether_the_teacher_is_right(scored: Scored) -> None:
    assert scored.teacher is not None
    right = (scored.teacher.argmax(1) == scored.y).double().mean()
    where_right, where_wrong = of.agreement_where_right(scored), of.agreement_where_wrong(scored)
    assert where_right.shape[1] + where_wrong.shape[1] == N
    torch.testing.assert_close(
        of.agreement(scored).mean(-1), right * where_right.mean(-1) + (1 - right) * where_wrong.mean(-1)
    )


def test_the_bayes_classifier_has_no_excess() -> None:
    test = sample(Gaussians(n_test=500)).pool.split("test")
    assert test.posterior is not None
    bayes = Scored(test.posterior.log(), test.y, None, test.posterior)
    assert float(of.excess_error(bayes).max()) == 0
    assert float(of.kl_posterior(bayes).mean()) == pytest.approx(0, abs=1e-12)
    worst = Scored(-test.posterior.log(), test.y, None, test.posterior)
    gap = (test.posterior[:, 0] - test.posterior[:, 1]).abs()
    torch.testing.assert_close(of.excess_error(worst), gap)


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1, 0.0604270), (2, 0.0859457), (4, 0.1827370), (8, 0.3375503), (20, 0.5177995)],
)
def test_likelihood_of_the_tempered_posterior_on_gaussians(temperature: float, expected: float) -> None:
    test = sample(Gaussians(n_test=40_000)).pool.split("test")
    logits = posterior(Gaussians(), test.x).log() / temperature
    values = of.nll(Scored(logits, test.y))
    error = float(values.std()) / len(values) ** 0.5
    assert float(values.mean()) == pytest.approx(expected, abs=4 * error)


def test_nothing_is_clipped() -> None:
    y = torch.tensor([1, 0])
    excludes = torch.tensor([[[0.0, -torch.inf], [0.0, -torch.inf]], [[0.0, -1e4], [0.0, -1e4]]])
    scored = Scored(excludes, y, torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))
    assert of.nll(scored)[:, 0].tolist() == pytest.approx([torch.inf, 1e4])
    assert of.kl_teacher(scored)[0].tolist() == [0.0, torch.inf]  # what the teacher excludes does not count
    assert of.brier(scored)[0].tolist() == [2.0, 0.0]


@pytest.mark.parametrize("values", [of.agreement, of.kl_teacher, of.excess_error, of.kl_posterior])
def test_what_is_not_given_is_named(values: Callable[[Scored], Tensor]) -> None:
    with pytest.raises(ValueError, match="needs"):
        values(Scored(torch.zeros(1, 2, 2), torch.tensor([0, 1])))


def imbalanced(n: int, shares: list[float], seeds: int = 2) -> Scored:
    """Return logits of models that rank the classes, which have these shares, better than chance."""
    y = torch.multinomial(torch.tensor(shares), n, replacement=True, generator=RANDOM)
    noise = torch.randn(seeds, n, len(shares), generator=RANDOM)
    return Scored(noise + 1.5 * one_hot(y, len(shares)), y)


@pytest.mark.parametrize("shares", [[0.9, 0.1], [0.1, 0.9]])
def test_of_two_classes_the_rarer_is_ranked(shares: list[float]) -> None:
    scored = imbalanced(300, shares)
    rare = int(np.argmin(shares))
    for s in range(2):
        p, positive = scored.p[s, :, rare].numpy(), (scored.y == rare).numpy()
        area, precision = (float(f(scored)[s].mean()) for f in (of.roc_area, of.average_precision))
        assert area == pytest.approx(sklearn.metrics.roc_auc_score(positive, p), abs=1e-12)
        assert precision == pytest.approx(sklearn.metrics.average_precision_score(positive, p), abs=1e-12)


@pytest.mark.parametrize("absent", [0, 2, 3])
def test_classes_without_a_test_example_are_left_out_of_the_average(absent: int) -> None:
    y = torch.arange(90) % 3
    y[y >= absent] += 1  # of classes 0 to 3, three are there
    scored = Scored(torch.randn(2, 90, 4, generator=RANDOM) + one_hot(y, 4), y)
    present = [k for k in range(4) if k != absent]
    for s in range(2):
        p = scored.p[s].numpy()
        areas = [sklearn.metrics.roc_auc_score(y == k, p[:, k]) for k in present]
        precisions = [sklearn.metrics.average_precision_score(y == k, p[:, k]) for k in present]
        with warnings.catch_warnings(action="ignore"):  # of predictions of a class that is not in y
            balanced = sklearn.metrics.balanced_accuracy_score(y, p.argmax(1))
        for values, expected in (
            (of.roc_area, np.mean(areas)),
            (of.average_precision, np.mean(precisions)),
            (of.balanced_hits, balanced),
        ):
            assert float(values(scored)[s].mean()) == pytest.approx(expected, abs=1e-12)


def test_nothing_is_ranked_where_all_test_examples_are_of_one_class() -> None:
    for classes in (2, 3):
        scored = Scored(torch.randn(2, 10, classes, generator=RANDOM), torch.ones(10, dtype=torch.int64))
        assert of.roc_area(scored).shape == of.average_precision(scored).shape == (2, 0)
        torch.testing.assert_close(of.balanced_hits(scored).mean(-1), of.hits(scored).mean(-1))


def test_with_as_many_of_each_class_balanced_accuracy_is_accuracy() -> None:
    scored = Scored(torch.randn(3, 40, 4, generator=RANDOM), torch.arange(40) % 4)
    torch.testing.assert_close(of.balanced_hits(scored).mean(-1), of.hits(scored).mean(-1))


def test_who_gets_all_right_has_a_balanced_accuracy_of_1_for_certain() -> None:
    y = torch.tensor([0] * 97 + [1] * 3)
    assert of.balanced_hits(Scored(one_hot(y, 2).float(), y)).tolist() == [1.0] * 100
    always = of.balanced_hits(Scored(torch.tensor([1.0, 0.0]).expand(100, 2), y))
    assert always.tolist() == [0.5] * 100  # all right of one class, none of the other


@pytest.mark.parametrize("values", [of.balanced_hits, of.roc_area, of.average_precision])
@pytest.mark.parametrize("shares", [[0.9, 0.1], [0.7, 0.2, 0.1]])
def test_values_vary_as_their_mean_does_between_samples(
    values: Callable[[Scored], Tensor], shares: list[float]
) -> None:
    """The standard error from one sample is about the deviation of the metric between many samples."""
    means, errors = [], []
    for _ in range(400):
        sampled = values(imbalanced(400, shares, seeds=1))[0]
        means.append(float(sampled.mean()))
        errors.append(float(sampled.var()) / 400)
    assert np.mean(errors) ** 0.5 == pytest.approx(np.std(means), rel=0.12)
