"""Metrics of models on the test splits of all draws, with intervals where a metric has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from torch import Tensor

from kdcli.inference import estimate
from kdcli.metrics import METRICS, Metric
from kdcli.scored import Scored, hits
from kdcli.stats import Draws, Estimate


def recalls(scored: Sequence[Scored], how: Draws) -> list[Estimate]:
    """Estimate the recall of each class: the share of its examples that are predicted correctly."""
    right = [hits(of_draw) for of_draw in scored]

    def recall(k: int) -> Estimate:
        of_class = [values[..., of_draw.y == k] for values, of_draw in zip(right, scored, strict=True)]
        return estimate_metric(METRICS["accuracy"], of_class, how)

    return [recall(k) for k in range(scored[0].logits.shape[-1])]


def measure(
    scored: Sequence[Scored], compared: Sequence[str], how: Draws, *, own: bool = False
) -> tuple[dict[str, Estimate], dict[str, list[list[float]]], dict[str, list[Tensor]]]:
    """Return the metrics that apply, with intervals, their means by draw and seed, and the compared values.

    `scored` has one item for each draw. For the user's `own` data, more metrics are measured.
    """
    first = scored[0]
    given = {
        "labels": first.y,
        "teacher": first.teacher,
        "posterior": first.posterior,
        "scaling": first.scaling,
    }
    estimates, per_seed, kept = {}, {}, {}
    for name, metric in METRICS.items():
        if given[metric.needs] is None or (metric.for_own and not own and name not in compared):
            continue
        values = [metric.values(of_draw) for of_draw in scored]
        if any(of_draw.shape[-1] == 0 for of_draw in values):  # for example, if the teacher is never wrong
            continue
        estimates[name] = estimate_metric(metric, values, how)
        per_seed[name] = [_means(metric, of_draw) for of_draw in values]
        if name in compared:
            kept[name] = values
    return estimates, per_seed, kept


def _means(metric: Metric, values: Tensor) -> list[float]:
    means: list[float] = (metric.scale(values) * values.mean(-1)).tolist()
    return [round(mean) for mean in means] if metric.total else means


def estimate_metric(metric: Metric, values: Sequence[Tensor], how: Draws) -> Estimate:
    """Estimate a metric from its `values (seeds, n)` in each draw; the interval ends where its range does."""
    if not metric.inferred:
        return Estimate(fmean(float(of_draw.mean()) for of_draw in values), -math.inf, math.inf)
    scale = metric.scale(values[0])  # the same in all draws
    mean, low, high = estimate(values, how, share=metric.counts, subset=metric.subset)
    return Estimate(scale * mean, scale * max(low, 0.0), scale * min(high, metric.most))
