"""Means over seeds and test examples, with intervals that cover the spread of both."""

from typing import NamedTuple

from torch import Tensor

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean, and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def crossed_mean(values: Tensor) -> Estimate:
    """Estimate the mean of `values (seeds, n)`: a metric of every seed on every test example.

    Seeds and examples are crossed: each seed is scored on the same examples. The variance of the mean is
    taken as var_s(mean over examples) / S + var_i(mean over seeds) / n, which counts what both share
    twice and so is slightly too large; degrees of freedom after Welch (1947) and Satterthwaite (1946).
    With one seed the interval covers the test examples alone.
    """
    from scipy.special import stdtrit  # of Student's t; scipy.stats would take three times as long to import

    values = values.double()
    mean = float(values.mean())
    parts = [
        (float(rows.var()) / len(rows), len(rows) - 1)
        for rows in (values.mean(1), values.mean(0))
        if len(rows) > 1
    ]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return Estimate(mean, mean, mean)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * variance**0.5
    return Estimate(mean, mean - half, mean + half)
