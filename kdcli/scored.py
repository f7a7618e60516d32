"""The scores of models on labelled examples: one value for each example, computed in log space.

No probability is clipped: a model that gives probability 0 to a label has an infinite NLL there.

    scored.logits      (..., n, n_classes)
    scored.y           (n,)
    values             (..., n)             or fewer, for a function that uses a subset of the examples
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

BINS = 15  # equally wide bins of a probability, for measures of calibration


@dataclass(frozen=True)
class Scored:
    """The logits of one or several models on n examples, and what they are compared with.

    logits      (..., n, n_classes)  logits of one model, or of several
    y           (n,)                 labels
    teacher     (n, n_classes)       the teacher's logits, or None
    posterior   (n, n_classes)       exact P(y|x), or None if it is not known
    scaling     (...)                temperatures that calibrate the models on validation examples, or None
    """

    logits: Tensor
    y: Tensor
    teacher: Tensor | None = None
    posterior: Tensor | None = None
    scaling: Tensor | None = None

    @cached_property
    def log_p(self) -> Tensor:
        """Log-probabilities of the classes."""
        return self.logits.double().log_softmax(-1)

    @cached_property
    def p(self) -> Tensor:
        """Probabilities of the classes."""
        return self.log_p.exp()

    @cached_property
    def predicted(self) -> Tensor:
        """The most probable class of each example."""
        return self.logits.argmax(-1)

    @cached_property
    def taught(self) -> Tensor:
        """The teacher's most probable class of each example."""
        return given(self.teacher).argmax(-1)


def given(source: Tensor | None) -> Tensor:
    """Return the tensor that a metric needs; raises ValueError if it was not given (see `Metric.needs`)."""
    if source is None:
        raise ValueError("this metric needs a tensor that was not given; see Metric.needs")
    return source


def hits(scored: Scored) -> Tensor:
    """Whether each example's most probable class is its label, 1.0 or 0.0."""
    return (scored.predicted == scored.y).double()


def misses(scored: Scored) -> Tensor:
    """Whether each example's most probable class differs from its label, 1.0 or 0.0."""
    return 1 - hits(scored)


def nll(scored: Scored) -> Tensor:
    """Negative log-probability of each example's label, in nats."""
    index = scored.y.expand(scored.log_p.shape[:-1]).unsqueeze(-1)
    return -scored.log_p.gather(-1, index).squeeze(-1)


def nll_scaled(scored: Scored) -> Tensor:
    """NLL of each example's label after temperature scaling, in nats: what is left without miscalibration."""
    scaled = scored.logits.double() / given(scored.scaling)[..., None, None]
    return nll(Scored(scaled, scored.y))


def brier(scored: Scored) -> Tensor:
    """Squared distance of the probabilities from the one-hot label, summed over classes: from 0 to 2.

    Brier, "Verification of forecasts expressed in terms of probability" (1950).
    """
    import torch

    index = scored.y.expand(scored.p.shape[:-1]).unsqueeze(-1)
    return scored.p.scatter_add(-1, index, -torch.ones_like(scored.p[..., :1])).square().sum(-1)


def calibration_gap(scored: Scored) -> Tensor:
    """Each example's part of the expected calibration error, which is the mean of these values.

    Examples are put in BINS equally wide bins of their top probability. A bin's gap is the mean of top
    probability minus hit; an example counts with its own difference and the sign of its bin's gap. With few
    examples the error is biased upwards, more so if the top probabilities are widely spread: so it has no
    interval.
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015).
    """
    gaps = confidences(scored) - hits(scored)
    bins = top_bins(scored)
    return gaps * bin_sums(gaps, bins).sign().gather(-1, bins)


class Binned(NamedTuple):
    """Probabilities of classes in bins, separately for each class: `(..., n_classes, n)` each.

    They describe the bin of each example: its mean probability, the frequency of the class, and the part of
    that frequency's square that is noise. `base (..., n_classes, 1)` are the frequencies in all examples.
    """

    p: Tensor
    frequency: Tensor
    noise: Tensor
    base: Tensor

    @classmethod
    def of(cls, scored: Scored) -> Binned:
        """Put the probabilities of models in BINS equally wide bins."""
        import torch
        from torch.nn.functional import one_hot

        p = scored.p.mT
        happened = one_hot(scored.y, p.shape[-2]).mT.double().expand_as(p)
        bins = bins_of(p)
        counts = bin_sums(p.new_ones(()).expand_as(p), bins).gather(-1, bins)
        mean, frequency = (bin_sums(values, bins).gather(-1, bins) / counts for values in (p, happened))
        # A single example does not show how frequencies vary, so its noise follows from the probability.
        noise = frequency * (1 - frequency) / (counts - 1).clamp(min=1)
        noise = torch.where(counts > 1, noise, mean * (1 - mean))
        return cls(mean, frequency, noise, happened.mean(-1, keepdim=True))


def reliability(scored: Scored) -> Tensor:
    """Each example's part of the Brier score's reliability: how far probabilities are from frequencies.

    The mean over examples is Σ_k Σ_b n_b / n · (mean probability − frequency of class k in bin b)², minus the
    expected effect of chance. So it is unbiased for calibrated models, and may be below 0. With `resolution`,

        Brier score = reliability − resolution + Σ_k f_k (1 − f_k) · n / (n − 1),

    where f_k are the frequencies of the classes, up to the variation of probabilities within bins.
    Murphy, "A new vector partition of the probability score" (1973); Ferro and Fricker, "A bias-corrected
    decomposition of the Brier score" (2012).
    """
    binned = Binned.of(scored)
    return ((binned.p - binned.frequency).square() - binned.noise).sum(-2)


def resolution(scored: Scored) -> Tensor:
    """Each example's part of the Brier score's resolution: how far frequencies in bins are from the overall.

    See `reliability`. A model that predicts the same for every example has a resolution of 0.
    """
    binned, n = Binned.of(scored), len(scored.y)
    of_all = binned.base * (1 - binned.base) / max(1, n - 1)
    return ((binned.frequency - binned.base).square() - binned.noise + of_all).sum(-2)


def confidences(scored: Scored) -> Tensor:
    """Return each example's top probability."""
    top: Tensor = scored.p.amax(-1)
    return top


def top_bins(scored: Scored) -> Tensor:
    """Return the bin that each example's top probability falls in."""
    return bins_of(confidences(scored))


def bins_of(p: Tensor) -> Tensor:
    """Return the bin that each probability falls in: 0 to BINS − 1, upper edges included."""
    return (p * BINS).ceil().long().clamp(1, BINS) - 1


def bin_sums(values: Tensor, bins: Tensor) -> Tensor:
    """Return the sum of `values (..., n)` in each bin, `(..., BINS)`."""
    return values.new_zeros(*values.shape[:-1], BINS).scatter_add(-1, bins, values)


def agreement(scored: Scored) -> Tensor:
    """Whether each example's most probable class is the teacher's, 1.0 or 0.0."""
    return (scored.predicted == scored.taught).double()


def agreement_where_right(scored: Scored) -> Tensor:
    """Return the agreement on the examples that the teacher gets right."""
    return agreement(scored)[..., scored.taught == scored.y]


def agreement_where_wrong(scored: Scored) -> Tensor:
    """Return the agreement on the examples that the teacher gets wrong."""
    return agreement(scored)[..., scored.taught != scored.y]


def kl_teacher(scored: Scored) -> Tensor:
    """KL(teacher ‖ model) of each example's probabilities at T = 1, in nats."""
    return divergence(given(scored.teacher).double().log_softmax(-1), scored.log_p)


def balanced_hits(scored: Scored) -> Tensor:
    """Return values whose mean is the mean recall of the classes in y, and whose variance is right for it.

    Each value is that mean plus the difference of the example's hit from its class's recall, weighted so that
    all classes count equally (see `ranking`).
    """
    right = hits(scored)
    counts = scored.y.bincount(minlength=scored.logits.shape[-1])
    sums = right.new_zeros(*right.shape[:-1], len(counts)).scatter_add(-1, scored.y.expand_as(right), right)
    recall = sums / counts.clamp(min=1)
    weights = len(scored.y) / (int((counts > 0).sum()) * counts[scored.y].double())
    balanced = recall[..., counts > 0].mean(-1, keepdim=True)
    return balanced + (right - recall[..., scored.y]) * weights


def roc_area(scored: Scored) -> Tensor:
    """Return the area under the ROC curve of each class against the rest, averaged (see `ranking`)."""
    from kdcli.ranking import area_values

    return _of_classes(scored, area_values)


def average_precision(scored: Scored) -> Tensor:
    """Return the mean over classes of the average precision against the rest; for two, that of the rarer."""
    from kdcli.ranking import precision_values

    return _of_classes(scored, precision_values)


def _of_classes(scored: Scored, values: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Average the values of a ranking metric over the classes in y; of two classes, take the rarer."""
    import torch

    counts = scored.y.bincount(minlength=scored.logits.shape[-1])
    classes = [k for k, count in enumerate(counts.tolist()) if 0 < count < len(scored.y)]
    if len(counts) == 2:
        classes = classes and [min(classes, key=lambda k: int(counts[k]))]
    if not classes:
        return scored.log_p[..., :0, 0]
    return torch.stack([values(scored.log_p[..., k], scored.y == k) for k in classes]).mean(0)


def excess_error(scored: Scored) -> Tensor:
    """How much more likely than the Bayes classifier the model is to err on each example, from the posterior.

    It is max_c P(c|x) − P(predicted|x). Its mean is the model's error minus the Bayes error, without the
    randomness of the labels; it is 0 for the Bayes classifier.
    """
    posterior = given(scored.posterior)
    chosen = posterior.expand_as(scored.log_p).gather(-1, scored.predicted.unsqueeze(-1)).squeeze(-1)
    return posterior.amax(-1) - chosen


def kl_posterior(scored: Scored) -> Tensor:
    """KL(posterior ‖ model) of each example's probabilities, in nats."""
    return divergence(given(scored.posterior).double().log(), scored.log_p)


def entropy(log_p: Tensor) -> Tensor:
    """Return the entropy of the last axis's probabilities, in nats; classes with p = 0 add 0."""
    return -log_p.exp().mul(log_p.clamp(min=-1e300)).sum(-1)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p ‖ q) over the last axis, in nats; classes with p = 0 add 0, and others with q = 0 add ∞."""
    import torch

    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), 0.0)
    return terms.sum(-1).clamp(min=0.0)  # rounding may leave a tiny negative number
