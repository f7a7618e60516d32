"""How good a model is on a labelled test split, as pure functions in log space.

Every metric here is a mean (or a sum) of one value for each example, whose spread tells how uncertain it is.
No probability is clipped: a model that excludes what happened has an infinite likelihood loss.

    scored.logits      (..., n, n_classes)
    scored.y           (n,)
    a metric's values  (..., n)             or of those examples that it looks at
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from kdcli.errors import unknown

if TYPE_CHECKING:
    from torch import Tensor

BINS = 15  # of the top probability, equally wide, for the calibration error
HUGE = 1e6  # from which a value is written with its power of ten
RECORDED = ("accuracy", "errors", "nll")  # with each model, as soon as it is trained


@dataclass(frozen=True)
class Scored:
    """What a model said on n examples, and what it is held against.

    logits      (..., n, n_classes)  of one model, or of several
    y           (n,)                 labels
    teacher     (n, n_classes)       the teacher's logits, or None
    posterior   (n, n_classes)       exact P(y|x), or None where it is not known
    """

    logits: Tensor
    y: Tensor
    teacher: Tensor | None = None
    posterior: Tensor | None = None

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


@dataclass(frozen=True)
class Metric:
    """A metric: what it is, what it needs, and how it reads.

    `values` gives one value for each example. `total` metrics are their sum over examples, others their mean.
    `unit` is "%", "nats", or empty; "%" is shown as hundred times the number. Values are from 0 to `most`.
    One with a `short` title, in lines, stands in the table without verdicts. One of a `subset` of examples
    may look at others in each draw.
    """

    summary: str
    title: str
    values: Callable[[Scored], Tensor]
    better: Literal["higher", "lower"]
    unit: str = ""
    needs: Literal["labels", "teacher", "posterior"] = "labels"
    total: bool = False
    most: float = 1.0
    short: str = ""
    subset: bool = False

    def scale(self, values: Tensor) -> int:
        """Return what a mean over examples is to be multiplied by: their number for totals."""
        return values.shape[-1] if self.total else 1


def given(source: Tensor | None) -> Tensor:
    """Return what a metric needs; raises ValueError where it was not given (see `Metric.needs`)."""
    if source is None:
        raise ValueError("this metric is computed from something that was not given; see Metric.needs")
    return source


def hits(scored: Scored) -> Tensor:
    """Whether each example's most probable class is its label, 1.0 or 0.0."""
    return (scored.predicted == scored.y).double()


def misses(scored: Scored) -> Tensor:
    """Whether each example's most probable class is another than its label, 1.0 or 0.0."""
    return 1 - hits(scored)


def nll(scored: Scored) -> Tensor:
    """Negative log-probability of each example's label, in nats."""
    index = scored.y.expand(scored.log_p.shape[:-1]).unsqueeze(-1)
    return -scored.log_p.gather(-1, index).squeeze(-1)


def brier(scored: Scored) -> Tensor:
    """Squared distance of the probabilities from the one-hot label, summed over classes: from 0 to 2.

    Brier, "Verification of forecasts expressed in terms of probability" (1950).
    """
    import torch

    index = scored.y.expand(scored.p.shape[:-1]).unsqueeze(-1)
    return scored.p.scatter_add(-1, index, -torch.ones_like(scored.p[..., :1])).square().sum(-1)


def calibration_gap(scored: Scored) -> Tensor:
    """Each example's part of the expected calibration error, whose mean is that error.

    Examples are put in BINS equally wide bins of their top probability. A bin's gap is the mean of top
    probability less hit; an example counts with its own such difference, and the sign of its bin's gap.
    On few examples it is biased upwards, the more the wider the top probabilities spread.
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015).
    """
    gaps = confidences(scored) - hits(scored)
    bins = top_bins(scored)
    return gaps * bin_sums(gaps, bins).sign().gather(-1, bins)


def confidences(scored: Scored) -> Tensor:
    """Return each example's top probability."""
    top: Tensor = scored.p.amax(-1)
    return top


def top_bins(scored: Scored) -> Tensor:
    """Return the bin that each example's top probability falls in: 0 to BINS − 1, upper edges included."""
    return (confidences(scored) * BINS).ceil().long().clamp(1, BINS) - 1


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


def excess_error(scored: Scored) -> Tensor:
    """How much likelier than the Bayes classifier the model is to err on each example, by the posterior.

    max_c P(c|x) − P(predicted|x): its mean is the model's error less the Bayes error without the chance
    of the labels, and 0 for the Bayes classifier.
    """
    posterior = given(scored.posterior)
    chosen = posterior.expand_as(scored.log_p).gather(-1, scored.predicted.unsqueeze(-1)).squeeze(-1)
    return posterior.amax(-1) - chosen


def kl_posterior(scored: Scored) -> Tensor:
    """KL(posterior ‖ model) of each example's probabilities, in nats."""
    return divergence(given(scored.posterior).double().log(), scored.log_p)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p ‖ q) of the last axis, in nats; classes with p = 0 add 0, and it is ∞ where q excludes others."""
    import torch

    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), 0.0)
    return terms.sum(-1).clamp(min=0.0)  # rounding may leave a little less than nothing


METRICS = MappingProxyType(
    {
        "accuracy": Metric("share of examples that are got right", "accuracy", hits, "higher", "%"),
        "errors": Metric(
            "number of examples that are got wrong", "errors", misses, "lower", unit="errors", total=True
        ),
        "nll": Metric("negative log-likelihood of the labels", "NLL", nll, "lower", "nats", most=math.inf),
        "brier": Metric(
            "Brier score, from 0 to 2", "Brier score", brier, "lower", most=2.0, short="Brier\nscore"
        ),
        "ece": Metric(
            f"expected calibration error, {BINS} bins",
            "calibration error",
            calibration_gap,
            "lower",
            "%",
            short="calibr.\nerror",
        ),
        "agreement": Metric(
            "share of examples on which the class is the teacher's",
            "agreement with the teacher",
            agreement,
            "higher",
            "%",
            needs="teacher",
            short="agrees w.\nteacher",
        ),
        "agreement_where_right": Metric(
            "the same where the teacher is right",
            "agreement where the teacher is right",
            agreement_where_right,
            "higher",
            "%",
            needs="teacher",
            subset=True,
        ),
        "agreement_where_wrong": Metric(
            "the same where the teacher is wrong",
            "agreement where the teacher is wrong",
            agreement_where_wrong,
            "higher",
            "%",
            needs="teacher",
            subset=True,
        ),
        "kl_teacher": Metric(
            "KL(teacher ‖ student) at T = 1",
            "KL(teacher ‖ student)",
            kl_teacher,
            "lower",
            "nats",
            "teacher",
            most=math.inf,
            short="KL from\nteacher",
        ),
        "excess_error": Metric(
            "error above the Bayes error, by the exact posterior",
            "excess error",
            excess_error,
            "lower",
            "%",
            "posterior",
            short="excess\nerror",
        ),
        "kl_posterior": Metric(
            "KL(posterior ‖ student)",
            "KL(posterior ‖ student)",
            kl_posterior,
            "lower",
            "nats",
            "posterior",
            most=math.inf,
            short="KL from\nposterior",
        ),
    }
)


def find_metric(name: str) -> Metric:
    """Look up a metric by name; raises `UsageError` with the nearest name."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]


def measure(scored: Scored, names: Iterable[str] = RECORDED) -> dict[str, list[float]]:
    """Return metrics of `scored.logits (models, n, n_classes)`, each with a value for each model."""
    results = {}
    for name in names:
        values = METRICS[name].values(scored)
        means = (values.mean(-1) * METRICS[name].scale(values)).tolist()
        results[name] = [round(mean) for mean in means] if METRICS[name].total else means
    return results


def mean_over(by_draw: Sequence[Sequence[float]]) -> float:
    """Return the mean of a metric over draws and seeds; that of a single model as it is."""
    values = list(chain(*by_draw))
    return values[0] if len(values) == 1 else fmean(values)
