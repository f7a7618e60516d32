"""Means over seeds and test examples, their differences, and intervals that cover the spread of both.

Values are `(seeds, n)`: a metric of every seed on every test example. Seeds and examples are crossed, so
with S seeds the variance of the mean has a part for each, and a residual:

    Var(mean) = σ²_seeds / S  +  σ²_examples / n  +  σ²_rest / (S · n)

Mean squares of the two margins estimate the first and the second term, each together with the third. When
the third is subtracted from one of them (Henderson, "Estimation of variance and covariance components",
1953), the parts
    A = var_s(mean over examples) / S          on S − 1 degrees of freedom
    B = var_i(mean over seeds) / n − rest      on n − 1

add up to an unbiased estimate of the variance. The half-width of the interval is √(t²_A · A + t²_B · B), with
a quantile of Student's t for each part. Banerjee ("Approximate confidence interval for linear functions of
means of k populations when the population variances are not equal", Sankhyā, 1961) shows that the coverage is
at least nominal, from two seeds on, whereas a t with pooled degrees of freedom (Welch, Satterthwaite) covers
only 87 %. A few seeds may agree by chance, as counts do; so t²_A · A is at least t² · rest, estimated
on many degrees of freedom. `benchmarks/coverage.py` measures the coverage.

Over several draws of the data there is one mean difference per draw. Draws that are sampled independently
have Student's interval for their mean. Splits of one pool share examples: their mean varies more than that of
independent draws, and more so if the test split is large compared with the training split. Nadeau and Bengio
("Inference for the generalization error", Machine Learning 52, 2003) correct the variance of the mean of R
draws to (1/R + n_test / n_train) · s². Draws that share their test examples are crossed with the examples, as
seeds are in one draw. `benchmarks/draws.py` measures the coverage of the first two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor

CONFIDENCE = 0.95
LEVEL = 1 - CONFIDENCE
POWER = 0.8
LEAST_P = 1e-15  # below it, quantiles of Student's t are no longer exact

Source = Literal["draws", "seeds", "examples"]


class Estimate(NamedTuple):
    """A mean, and the ends of its 95 % interval, which are −∞ and ∞ if nothing is known about it."""

    mean: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval; None if nothing is known about the mean."""
        return None if (self.low, self.high) == (-math.inf, math.inf) else (self.low, self.high)


class Part(NamedTuple):
    """A part of the variance of a mean, on `freedom` degrees of freedom.

    `source` is what was sampled. `least` is a lower bound of this part, with many more degrees of freedom.
    """

    source: Source
    variance: float
    freedom: int
    least: Part | None = None

    def square(self, level: float) -> float:
        """Return the contribution of this part to the square of the half-width of an interval."""
        from scipy.special import stdtrit  # scipy.stats would take three times as long to import

        # The lower quantile, squared: the upper one could not tell a small level from 0.
        alone = float(stdtrit(self.freedom, level / 2)) ** 2 * self.variance
        return max(alone, self.least.square(level)) if self.least else alone


class Sampled(NamedTuple):
    """A mean, and the parts of its variance."""

    mean: float
    parts: tuple[Part, ...]

    def half_width(self, level: float = LEVEL) -> float:
        """Half the width of the interval that misses the true mean in at most a share `level` of samples."""
        return math.sqrt(sum(part.square(level) for part in self.parts))

    @property
    def estimate(self) -> Estimate:
        """The mean with its 95 % interval."""
        half = self.half_width()
        return Estimate(self.mean, self.mean - half, self.mean + half)

    @property
    def p_value(self) -> float | None:
        """The smallest level whose interval excludes 0: the two-sided p-value of a true mean of 0.

        None if nothing varies, for example with a single example: chance cannot be measured then.
        """
        distance = abs(self.mean)
        if distance == 0:
            return 1.0
        if self.half_width() == 0:
            return None
        if distance > self.half_width(LEAST_P):
            return LEAST_P
        low, high = LEAST_P, 1.0
        while high > low * (1 + 1e-9):  # the half-width falls as the level rises
            middle = (low * high) ** 0.5
            low, high = (middle, high) if self.half_width(middle) > distance else (low, middle)
        return high

    def limited_by(self, level: float = LEVEL) -> Source:
        """Return the source of the largest part of the interval's width."""
        return max(self.parts, key=lambda part: part.square(level)).source if self.parts else "examples"

    def detectable(self, level: float = LEVEL) -> float:
        """Return the smallest true mean that such a sample detects with a power of about 80 %."""
        from scipy.special import nctdtrinc, stdtrit

        if len(self.parts) == 1 and not self.parts[0].least:
            (part,) = self.parts
            critical = -float(stdtrit(part.freedom, level / 2))
            return math.sqrt(part.variance) * float(nctdtrinc(part.freedom, 1 - POWER, critical))
        return self.half_width(level) + self.half_width(2 * (1 - POWER))


class Draws(NamedTuple):
    """How several draws of the data depend on each other.

    `overlap` is n_test / n_train for draws that split one pool, and 0 for others. With `shared_test`, all
    draws have the same test examples.
    """

    overlap: float = 0.0
    shared_test: bool = False

    def of_subsets(self) -> Draws:
        """Return the same for values of different examples in each draw, which cannot be crossed."""
        return self._replace(shared_test=False)


INDEPENDENT = Draws()


def crossed(values: Tensor, rows: Source = "seeds") -> Sampled:
    """Return the mean of `values (seeds, n)` with its variance over seeds and examples.

    With one seed, it is the variance over examples alone. The `rows` may be draws instead of seeds.
    """
    values = values.double()
    rest = _rest(values)
    return Sampled(float(values.mean()), (*_rows(values, rest, rows), *_examples(values.mean(0), [rest])))


def over_draws(differences: Tensor, overlap: float = 0.0) -> Sampled:
    """Return the mean of the `differences (R,)` of R draws of the data, with its variance.

    `overlap` is n_test / n_train for draws that split one pool, and 0 for independent draws. A single draw
    has no variance.
    """
    differences = differences.double()
    draws = len(differences)
    mean = float(differences.mean())
    if draws == 1:
        return Sampled(mean, ())
    return Sampled(mean, (Part("draws", (1 / draws + overlap) * float(differences.var()), draws - 1),))


def unpaired(ones: Tensor, others: Tensor) -> Sampled:
    """Return the mean of `ones` minus that of `others`, on the same n examples but with different seeds.

    Both are `(seeds, n)`; the part of the examples is still paired. A single seed adds no part of its own.
    """
    ones, others = ones.double(), others.double()
    rests = [_rest(ones), _rest(others)]
    parts = (
        *_rows(ones, rests[0]),
        *_rows(others, rests[1]),
        *_examples(ones.mean(0) - others.mean(0), rests),
    )
    return Sampled(float(ones.mean() - others.mean()), parts)


def _rows(values: Tensor, rest: Part, source: Source = "seeds") -> list[Part]:
    """Return the part of seeds in the variance of the mean, with the residual; nothing for a single seed."""
    rows = len(values)
    return [Part(source, float(values.mean(1).var()) / rows, rows - 1, rest)] if rows > 1 else []


def _examples(means: Tensor, rests: Sequence[Part]) -> list[Part]:
    """Return the part of examples, without the residuals; nothing for a single example."""
    n = len(means)
    if n == 1:
        return []
    alone = float(means.var()) / n - sum(rest.variance for rest in rests)
    return [Part("examples", max(0.0, alone), n - 1)]


def _rest(values: Tensor) -> Part:
    """Return the residual part, without the margins: 0 for a single row or column."""
    seeds, n = values.shape
    freedom = (seeds - 1) * (n - 1)
    if freedom == 0:
        return Part("examples", 0.0, 1)
    left = values - values.mean(1, keepdim=True) - values.mean(0) + values.mean()
    return Part("examples", float(left.square().sum()) / freedom / (seeds * n), freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that rejecting those up to 5 % makes any error in at most 5 % of tables.

    It holds for any dependence. Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, k in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = largest
    return adjusted


def mean_of(values: Sequence[Tensor], how: Draws = INDEPENDENT) -> Sampled:
    """Return the mean of the `values (seeds, n)` of each draw, with its variance.

    Seeds and examples of a single draw are crossed; so are several draws and their examples, if the draws
    share their examples.
    """
    import torch

    if len(values) == 1:
        return crossed(values[0])
    by_example = [of_draw.double().mean(0) for of_draw in values]
    if how.shared_test:
        return crossed(torch.stack(by_example), "draws")
    return over_draws(torch.stack([means.mean() for means in by_example]), how.overlap)


def another_draw(by_draw: Sequence[float]) -> tuple[float, float] | None:
    """Return the ends of the interval in which the value of another draw lies with a probability of 95 %.

    It is the prediction interval of Student's t, for values that are about normal; None for a single draw. It
    needs no correction for splits of one pool: another split shares as much with each of these as they share
    with each other.
    """
    import torch

    values = torch.tensor(by_draw, dtype=torch.float64)
    if len(values) == 1 or not bool(values.isfinite().all()):
        return None
    variance = (1 + 1 / len(values)) * float(values.var())
    half = Sampled(0.0, (Part("draws", variance, len(values) - 1),)).half_width()
    mean = float(values.mean())
    return mean - half, mean + half
