"""Metrics: the mean or the sum of one value for each example; the spread of the values gives its interval."""

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

HUGE = 1e6  # values from this limit up are written with a power of ten
RECORDED = ("accuracy", "errors", "nll")  # recorded with each model as soon as it is trained


@dataclass(frozen=True)
class Metric:
    """A metric: how it is computed, what it needs, and how it is shown.

    `values` returns one value for each example. `total` metrics are their sum over examples, others their
    mean. `unit` is "%", "nats", or empty; "%" is shown as a hundred times the number. Values are from 0 to
    `most`. A metric with a `short` title, broken into lines, is in the table without verdicts. A metric of a
    `subset` may use different examples in each draw. A metric `for_own` data is measured on the user's own
    data, and on others if it is asked for. A metric that `counts` examples has values of 0 and 1; a metric
    `by_class` weights all classes equally, however rare. A metric that is not `inferred` has neither an
    interval nor verdicts, because it is not simply a mean over examples.
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
        """Return the factor of a mean over examples: their number for totals, otherwise 1."""
        return values.shape[-1] if self.total else 1


METRICS = MappingProxyType(
    {
        "accuracy": Metric(
            "share of examples that are classified correctly", "accuracy", hits, "higher", "%", counts=True
        ),
        "errors": Metric(
            "number of examples that are misclassified",
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
            "part of the Brier score that perfect calibration would remove, corrected for bias",
            "reliability",
            reliability,
            "lower",
            most=2.0,
            short="relia-\nbility",
            inferred=False,
        ),
        "resolution": Metric(
            "reduction of the Brier score by telling examples apart, corrected for bias",
            "resolution",
            resolution,
            "higher",
            short="reso-\nlution",
            inferred=False,
        ),
        "agreement": Metric(
            "share of examples on which the predicted class is the teacher's",
            "agreement with the teacher",
            agreement,
            "higher",
            "%",
            needs="teacher",
            short="agrees w.\nteacher",
            counts=True,
        ),
        "agreement_where_right": Metric(
            "agreement on the examples that the teacher classifies correctly",
            "agreement where the teacher is right",
            agreement_where_right,
            "higher",
            "%",
            needs="teacher",
            subset=True,
            counts=True,
        ),
        "agreement_where_wrong": Metric(
            "agreement on the examples that the teacher misclassifies",
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
            "error above the Bayes error, computed from the exact posterior",
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
    """Return the mean of a metric over draws and seeds; the value of a single model is not rounded."""
    values = list(chain(*by_draw))
    return values[0] if len(values) == 1 else fmean(values)
