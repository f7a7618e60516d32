"""Means and differences with intervals and p-values, whether or not a normal approximation is good.

The intervals of `stats` hold over several draws of the data, and over seeds and many examples of a single
draw. In a single draw they can fail for three reasons:

A share depends on few examples. If fewer than 30 differ from the rest, its interval is the exact one of
Clopper and Pearson for the effective number of examples, which gives the variance over seeds and examples,
but not for more examples than there are (Korn and Graubard, 1998). It is never ± 0.

Two models differ on few examples. If it is fewer than 50, the p-value is at least that of an exact test in
which the sign of each example's difference is random (McNemar's, with one seed), and the interval is at least
as wide as the one from the exact intervals of the two shares.

A few examples dominate a mean difference, for example of a loss that is huge if a confident model is wrong. A
sample that happens to lack such examples may then show the opposite of the truth. So a verdict needs at least
20 effective examples: n / κ, where κ is the mean fourth power of the differences over the square of their
mean square. Since κ ≥ γ² + 1 (Pearson, 1916), this is stricter than Cochran's rule n > 20 γ² ("Sampling
techniques", 1977, section 2.15). The 20 was chosen with `benchmarks/small_samples.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kdcli.exact import clopper_pearson, difference_of_shares, sign_flips
from kdcli.stats import INDEPENDENT, LEAST_P, LEVEL, Draws, Estimate, Sampled, mean_of, unpaired

FEW_ODD = 30  # with fewer examples that differ from the rest, a share has an exact interval
FEW_DISCORDANT = 50  # with fewer examples that two models differ on, they are compared exactly
INFORMATIVE = 20  # least number of effective examples for a verdict on a mean difference
ROUNDING = 1e-9  # of a mean over seeds
NORMAL = 1.959964  # the upper quantile of LEVEL / 2


class Finding(NamedTuple):
    """The result of a comparison: a mean difference with its interval and p-value.

    `difference` is None if both means are infinite, `interval` if it has no ends, and `p_value` if nothing
    can be inferred; `why` then gives the reason. `by_draw` has the difference in each draw, NaN if both are
    infinite. `least` is the part of a single example in a share that all seeds agree on; 0 for other
    metrics.
    """

    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    sampled: Sampled
    by_draw: tuple[float, ...]
    why: str = ""
    least: float = 0.0


def estimate(
    values: Sequence[Tensor], how: Draws = INDEPENDENT, *, share: bool = False, subset: bool = False
) -> Estimate:
    """Estimate the mean of the `values (seeds, n)` of each draw; it is exactly ∞ if any value is infinite.

    The values of a `share` are 0 or 1. Those of a `subset` belong to different examples in each draw.
    """
    if not all(bool(of_draw.isfinite().all()) for of_draw in values):
        return Estimate(math.inf, math.inf, math.inf)
    sampled = mean_of(values, how.of_subsets() if subset else how)
    return _exact_share(values, sampled, how) if share else sampled.estimate


def _different(n: int, draws: int, how: Draws) -> int:
    """Return the least number of different examples over all draws, with n in each."""
    return n * draws if how == INDEPENDENT else n


def _exact_share(values: Sequence[Tensor], sampled: Sampled, how: Draws) -> Estimate:
    """Return the exact interval of a share if few examples differ from the rest, otherwise the usual one."""
    every = _different(min(of_draw.shape[1] for of_draw in values), len(values), how)
    odd = [min(int((v.amin(0) == 0).sum()), int((v.amax(0) == 1).sum())) for v in values]
    mean, half = sampled.mean, sampled.half_width()
    if (len(values) > 1 and half > 0) or sum(odd) >= FEW_ODD:
        return sampled.estimate
    effective = NORMAL**2 * mean * (1 - mean) / half**2 if half > 0 else math.inf
    n = min(every, effective)
    return Estimate(mean, *clopper_pearson(n * mean, n, LEVEL))


def compare(
    ones: Sequence[Tensor],
    others: Sequence[Tensor],
    *,
    paired: bool,
    how: Draws = INDEPENDENT,
    count: float = 0.0,
) -> Finding:
    """Compare the values `(seeds, n)` of two models on the same examples of each draw.

    Within a single draw they are compared seed by seed if they are `paired`. If only one mean is infinite, so
    is the difference, and the test is whether both have equally many infinite values. If both are, the
    difference is None. Values that count something are 0 or `count`; for others `count` is 0.
    """
    pairs = list(zip(ones, others, strict=True))
    by_draw = tuple(float(one.double().mean() - other.double().mean()) for one, other in pairs)
    endless = [not all(bool(of_draw.isfinite().all()) for of_draw in values) for values in (ones, others)]
    if any(endless):
        pairs = [(one.isinf().double(), other.isinf().double()) for one, other in pairs]
        count = 1.0
    sampled = _difference(pairs, paired=paired, how=how)
    if all(endless):
        return Finding(None, None, None, sampled, by_draw)
    found = Finding(sampled.mean, sampled.estimate[1:], sampled.p_value, sampled, by_draw)
    if len(pairs) == 1 or how.shared_test:  # all draws have the same examples
        means = torch.stack([one.double().mean(0) - other.double().mean(0) for one, other in pairs]).mean(0)
        scale = len(pairs) * math.lcm(*(len(values) for pair in pairs for values in pair))
        found = _exactly(means, scale, found, count) if count else _unless_skewed(means, found)
    elif count and not any(by_draw) and sampled.half_width() == 0:
        every = _different(pairs[0][0].shape[1], len(pairs), how)
        low, high = difference_of_shares(0, 0, every, LEVEL)
        found = found._replace(interval=(count * low, count * high), least=count / every)
    if any(endless):
        return found._replace(difference=math.inf if endless[0] else -math.inf, interval=None)
    return found if found.p_value is not None else found._replace(interval=None)


def _difference(pairs: Sequence[tuple[Tensor, Tensor]], *, paired: bool, how: Draws) -> Sampled:
    """Return the mean difference with its variance."""
    if paired:
        return mean_of([one - other for one, other in pairs], how)
    if len(pairs) > 1:  # draws are paired whatever their seeds
        return mean_of([one.mean(0, True) - other.mean(0, True) for one, other in pairs], how)
    return unpaired(*pairs[0])


def _exactly(means: Tensor, scale: int, found: Finding, count: float) -> Finding:
    """Return the comparison of two shares, with exact inference if few examples are discordant.

    `means (n,)` are the mean differences of each example, whole multiples of `count` / `scale`.
    """
    n, means = len(means), means / count
    discordant = means[means.abs() > ROUNDING]
    if len(discordant) >= FEW_DISCORDANT and found.p_value is not None:
        return found._replace(least=count / n)
    gained, lost = float(means.clamp(min=0).sum()), float(-means.clamp(max=0).sum())
    low, high = (count * end for end in difference_of_shares(gained, lost, n, LEVEL))
    exact = LEAST_P
    if len(discordant) < FEW_DISCORDANT:
        exact = max(LEAST_P, sign_flips((discordant * scale).round().int().tolist()))
    p = max(found.p_value or 0.0, exact)
    usual = found.interval if found.p_value is not None and found.interval else (low, high)
    interval = (min(low, usual[0]), max(high, usual[1]))
    return found._replace(interval=interval, p_value=p, least=count / n)


def _unless_skewed(means: Tensor, found: Finding) -> Finding:
    """Return the comparison, without a verdict if a few examples dominate the mean difference."""
    squares = means.square()
    total = float(squares.sum())
    if total == 0 or found.p_value is None:
        return found
    informative = total**2 / float(squares.square().sum())
    if informative >= INFORMATIVE:
        return found
    carry = f"about {informative:.0f} of {len(squares):,} examples make up the difference"
    return found._replace(interval=None, p_value=None, why=f"too skewed: {carry}, and {INFORMATIVE} must")
