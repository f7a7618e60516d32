"""Means and differences with intervals and p-values, where a normal approximation is good and where not.

Over several draws of the data, and over seeds and many examples of a single one, the intervals of `stats`
hold. In a single draw three things can be in the way:

A share rests on few examples. Where fewer than 30 differ from the rest, its interval is the exact one of
Clopper and Pearson on as many examples as tell what the interval over seeds and examples does, though not on
more than there are (Korn and Graubard, 1998). It is never ± 0.

Two models differ on few examples. Where it is fewer than 50, the p-value is at least that of the exact test
in which each example's difference is as likely the other way round, McNemar's; and the interval is at least
as wide as the exact ones of the two shares.

A few examples carry a mean difference, as of a loss that is huge where a confident model is wrong. A sample
that happens to lack such examples then claims the opposite of the truth. So no verdict rests on fewer than 20
examples, counted as their differences weigh: n / κ, where κ is the mean fourth power of the differences over
the square of their mean square. Since κ ≥ γ² + 1 (Pearson, 1916), this is stricter than Cochran's rule
n > 20 γ² ("Sampling techniques", 1977, section 2.15). `benchmarks/small_samples.py` chose the 20.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kdcli.exact import clopper_pearson, difference_of_shares, sign_flips
from kdcli.stats import INDEPENDENT, LEAST_P, LEVEL, Draws, Estimate, Sampled, mean_of, unpaired

FEW_ODD = 30  # examples that differ from the rest, below which a share has an exact interval
FEW_DISCORDANT = 50  # examples that two models differ on, below which they are compared exactly
INFORMATIVE = 20  # examples that a verdict on a mean difference rests on at least
ROUNDING = 1e-9  # of a mean over seeds
NORMAL = 1.959964  # the upper quantile of LEVEL / 2


class Finding(NamedTuple):
    """What a comparison found: a mean difference, None where it has no value, and how surprising it is.

    `interval` is None where it has no ends, `p_value` where nothing can be told: `why` says what is in the
    way. `by_draw` has the difference in each draw, NaN where both are infinite. `least` is what a single
    example adds to a share that all seeds agree on; 0 of what is no share.
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
    """Estimate the mean of `values (seeds, n)` of each draw; it is ∞ where any is, and then for certain.

    Of a `share` every value is 0 or 1. Of a `subset` each draw has values of other examples.
    """
    if not all(bool(of_draw.isfinite().all()) for of_draw in values):
        return Estimate(math.inf, math.inf, math.inf)
    sampled = mean_of(values, how.of_subsets() if subset else how)
    return _exact_share(values, sampled, how) if share else sampled.estimate


def _different(n: int, draws: int, how: Draws) -> int:
    """Return how many different examples there are at least, n in each draw."""
    return n * draws if how == INDEPENDENT else n


def _exact_share(values: Sequence[Tensor], sampled: Sampled, how: Draws) -> Estimate:
    """Return the exact interval of a share where few examples differ from the rest, else the usual one."""
    every = _different(min(of_draw.shape[1] for of_draw in values), len(values), how)
    odd = [min(int((v.amin(0) == 0).sum()), int((v.amax(0) == 1).sum())) for v in values]
    mean, half = sampled.mean, sampled.half_width()
    if (len(values) > 1 and half > 0) or sum(odd) >= FEW_ODD:
        return sampled.estimate
    told = NORMAL**2 * mean * (1 - mean) / half**2 if half > 0 else math.inf
    n = min(every, told)
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

    Within a single draw they are compared seed by seed if they are `paired`. Where one mean is infinite the
    difference is, and what is tested is whether both have as many infinite values. Where both are there is no
    difference to speak of. Values that say whether something holds are 0 or a `count`; others have none.
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
    if len(pairs) == 1 or how.shared_test:  # then the same examples tell everything
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
    """Return the mean difference, and how it varies."""
    if paired:
        return mean_of([one - other for one, other in pairs], how)
    if len(pairs) > 1:  # draws are paired whatever their seeds
        return mean_of([one.mean(0, True) - other.mean(0, True) for one, other in pairs], how)
    return unpaired(*pairs[0])


def _exactly(means: Tensor, scale: int, found: Finding, count: float) -> Finding:
    """Return what was found of shares, with exact inference where few examples are discordant.

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
    """Return what was found of a mean difference, without a verdict where a few examples carry it."""
    squares = means.square()
    total = float(squares.sum())
    if total == 0 or found.p_value is None:
        return found
    informative = total**2 / float(squares.square().sum())
    if informative >= INFORMATIVE:
        return found
    carry = f"about {informative:.0f} of {len(squares):,} examples carry the difference"
    return found._replace(
        interval=None, p_value=None, why=f"too skewed: {carry}, and {INFORMATIVE} would have to"
    )
