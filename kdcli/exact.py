"""Exact inference on counts, for samples in which a normal approximation is poor.

An approximation needs many informative examples: for 100 examples without an error, a normal interval is
100 ± 0 %, and for four examples that two models disagree on, it may find any majority significant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv


def clopper_pearson(successes: float, n: float, level: float) -> tuple[float, float]:
    """Return the ends of the exact interval of a share; it misses it in at most a share `level` of samples.

    Counts may be fractions, as they are for several seeds on the same examples (Korn and Graubard,
    "Confidence intervals for proportions with small expected number of positive counts estimated from survey
    data", 1998). Clopper and Pearson, "The use of confidence or fiducial limits" (1934).
    """
    failures = n - successes
    low = float(betaincinv(successes, failures + 1, level / 2)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - level / 2)) if failures > 0 else 1.0
    return low, high


def difference_of_shares(gained: float, lost: float, n: int, level: float) -> tuple[float, float]:
    """Return the ends of an interval of a difference of two shares of the same n examples.

    The difference is `gained` / n − `lost` / n: the examples that only the first model classifies correctly,
    and those that only the other does. Their exact intervals are combined with the method of Zou and Donner
    ("Construction of confidence limits about effect measures", 2008), with the correlation of counts that
    exclude each other.
    """
    up, down = gained / n, lost / n
    (up_low, up_high), (down_low, down_high) = (clopper_pearson(k, n, level) for k in (gained, lost))
    against = math.sqrt(up * down / ((1 - up) * (1 - down))) if up < 1 and down < 1 else 0.0

    def together(up_gap: float, down_gap: float) -> float:
        return math.sqrt(up_gap**2 + down_gap**2 + 2 * against * up_gap * down_gap)

    difference = up - down
    return (
        max(-1.0, difference - together(up - up_low, down_high - down)),
        min(1.0, difference + together(up_high - up, down - down_low)),
    )


def sign_flips(values: Sequence[int]) -> float:
    """Return the probability that a sum of whole numbers is at least as far from 0 with random signs.

    It is the exact two-sided p-value over all 2ⁿ signs. If all numbers are ±1, this is McNemar's exact test
    ("Note on the sampling error of the difference between correlated proportions", 1947), a sign test;
    otherwise it is Fisher's randomisation test ("The design of experiments", 1935, section 21).
    """
    sizes = [abs(value) for value in values if value]
    total, reached = sum(sizes), abs(sum(values))
    share = np.zeros(2 * total + 1)
    share[total] = 1.0
    for size in sizes:
        share = (np.roll(share, size) + np.roll(share, -size)) / 2
    distance = np.abs(np.arange(-total, total + 1))
    return min(1.0, float(share[distance >= reached].sum()))
