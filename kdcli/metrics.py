"""Metrics: the mean or the sum of one value for each example, whose spread tells how uncertain it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from kdcli.errors import unknown
from kdcli.scored import (
    BINS,
    Scored,
    agreement,
    agreement_where_right,
    agreement_where_wrong,
    average_precision,
    balanced_hits,
    brier,
    calibration_gap,
    excess_error,
    hits,
    kl_posterior,
    kl_teacher,
    misses,
    nll,
    nll_scaled,
    reliability,
    resolution,
    roc_area,
)

if TYPE_CHECKING:
    from torch import Tensor

HUGE = 1e6  # from which a value is written with its power of ten
RECORDED = ("accuracy", "errors", "nll")  # with each model, as soon as it is trained


@dataclass(frozen=True)
class Metric:
    """A metric: what it is, what it needs, and how it reads.

    `values` gives one value for each example. `total` metrics are their sum over examples, others their mean.
    `unit` is "%", "nats", or empty; "%" is shown as hundred times the number. Values are from 0 to `most`.
    One with a `short` title, in lines, stands in the table without verdicts. One of a `subset` of examples
    may look at others in each draw; one `for_own` data is measured of those, and where it is asked for. One
    that `counts` examples has values of 0 and 1; one `by_class` weighs each class alike, however rare. One
    that is not `inferred` has neither an interval nor verdicts: a mean over examples is not all it is.
    """

    summary: str
    title: str
    values: Callable[[Scored], Tensor]
    better: Literal["higher", "lower"]
    unit: str = ""
    needs: Literal["labels", "teacher", "posterior", "scaling"] = "labels"
    total: bool = False
    most: float = 1.0
    short: str = ""
    subset: bool = False
    for_own: bool = False
    counts: bool = False
    by_class: bool = False
    inferred: bool = True

    def scale(self, values: Tensor) -> int:
        """Return what a mean over examples is to be multiplied by: their number for totals."""
        return values.shape[-1] if self.total else 1


METRICS = MappingProxyType(
    {
        "accuracy": Metric(
            "share of examples that are got right", "accuracy", hits, "higher", "%", counts=True
        ),
        "errors": Metric(
            "number of examples that are got wrong",
            "errors",
            misses,
            "lower",
            unit="errors",
            total=True,
            counts=True,
        ),
        "nll": Metric("negative log-likelihood of the labels", "NLL", nll, "lower", "nats", most=math.inf),
        "nll_scaled": Metric(
            "NLL after temperature scaling on validation examples",
            "NLL, scaled",
            nll_scaled,
            "lower",
            "nats",
            "scaling",
            most=math.inf,
        ),
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
            inferred=False,
        ),
        "reliability": Metric(
            "part of the Brier score that better calibration would take off, without bias",
            "reliability",
            reliability,
            "lower",
            most=2.0,
            short="relia-\nbility",
            inferred=False,
        ),
        "resolution": Metric(
            "part of the Brier score that telling examples apart takes off, without bias",
            "resolution",
            resolution,
            "higher",
            short="reso-\nlution",
            inferred=False,
        ),
        "agreement": Metric(
            "share of examples on which the class is the teacher's",
            "agreement with the teacher",
            agreement,
            "higher",
            "%",
            needs="teacher",
            short="agrees w.\nteacher",
            counts=True,
        ),
        "agreement_where_right": Metric(
            "the same where the teacher is right",
            "agreement where the teacher is right",
            agreement_where_right,
            "higher",
            "%",
            needs="teacher",
            subset=True,
            counts=True,
        ),
        "agreement_where_wrong": Metric(
            "the same where the teacher is wrong",
            "agreement where the teacher is wrong",
            agreement_where_wrong,
            "higher",
            "%",
            needs="teacher",
            subset=True,
            counts=True,
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
        "balanced_accuracy": Metric(
            "mean recall of the classes",
            "balanced accuracy",
            balanced_hits,
            "higher",
            "%",
            short="balanced\naccuracy",
            for_own=True,
            by_class=True,
        ),
        "roc_auc": Metric(
            "area under the ROC curve, each class against the rest",
            "area under ROC",
            roc_area,
            "higher",
            short="area\nund. ROC",
            for_own=True,
            by_class=True,
        ),
        "average_precision": Metric(
            "average precision, each class against the rest; of two classes, the rarer",
            "average precision",
            average_precision,
            "higher",
            short="average\nprecision",
            for_own=True,
            by_class=True,
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
