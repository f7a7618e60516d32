"""Means over seeds and test examples, their differences, and intervals that cover the spread of both.

Values are `(seeds, n)`: a metric of every seed on every test example. Seeds and examples are crossed, so
with S seeds the mean varies with the sample of either, and by what is left over:

    Var(mean) = σ²_seeds / S  +  σ²_examples / n  +  σ²_rest / (S · n)

Mean squares of the two margins estimate the first and the second term, each with the third; once it is
taken out of one of them (Henderson, "Estimation of variance and covariance components", 1953), the parts
    A = var_s(mean over examples) / S          on S − 1 degrees of freedom
    B = var_i(mean over seeds) / n − rest      on n − 1

add up to the variance without bias. The half-width of the interval is √(t²_A · A + t²_B · B), each part
with its own quantile of Student's t. Banerjee ("Approximate confidence interval for linear functions of
means of k populations when the population variances are not equal", Sankhyā, 1961) shows that this covers
at least as often as it says, from two seeds on, where a t with pooled degrees of freedom (Welch,
Satterthwaite) covers only 87 %. A few seeds may agree by chance, as counts do; so t²_A · A is never taken
below t² · rest, which is measured on many degrees of freedom. `benchmarks/coverage.py` measures it all.

Over several draws of the data there is one mean difference a draw. Draws that are sampled anew are
independent, and the interval of their mean is Student's. Splits of one pool share examples: their mean varies
more than independent ones would, the more so the larger the test split is against the training split. Nadeau
and Bengio ("Inference for the generalization error", Machine Learning 52, 2003) correct the variance of R of
them to (1/R + n_test / n_train) · s². Draws that share their test examples are crossed with these, as seeds
are in one draw. `benchmarks/draws.py` measures how often the first two cover the truth.
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
    """A mean, and the ends of its 95 % interval; those are −∞ and ∞ where nothing is known of it."""

    mean: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends; None where nothing is known."""
        return None if (self.low, self.high) == (-math.inf, math.inf) else (self.low, self.high)


class Part(NamedTuple):
    """A part of the variance of a mean, on so many degrees of freedom, and what it is known to include.

    `source` is what was sampled; `least` is measured on enough degrees of freedom to be taken as it is.
    """

    source: Source
    variance: float
    freedom: int
    least: Part | None = None

    def square(self, level: float) -> float:
        """Return what it adds to the square of the half-width of an interval."""
        from scipy.special import stdtrit  # scipy.stats would take three times as long to import

        # The lower quantile, squared: the upper one could not tell a small level from 0.
        alone = float(stdtrit(self.freedom, level / 2)) ** 2 * self.variance
        return max(alone, self.least.square(level)) if self.least else alone


class Sampled(NamedTuple):
    """A mean, and the parts that its variance is made of."""

    mean: float
    parts: tuple[Part, ...]

    def half_width(self, level: float = LEVEL) -> float:
        """Half the width of the interval that misses the mean at most in a share `level` of samples."""
        return math.sqrt(sum(part.square(level) for part in self.parts))

    @property
    def estimate(self) -> Estimate:
        """The mean with its 95 % interval."""
        half = self.half_width()
        return Estimate(self.mean, self.mean - half, self.mean + half)

    @property
    def p_value(self) -> float | None:
        """The smallest level whose interval leaves out 0: how surprising the mean is if the truth is 0.

        None where nothing varies, as with a single example: there is no measure of chance then.
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
        """Return what most of the interval's width comes from."""
        return max(self.parts, key=lambda part: part.square(level)).source if self.parts else "examples"

    def detectable(self, level: float = LEVEL) -> float:
        """Return the smallest true mean that such a sample tells from 0 about four times in five."""
        from scipy.special import nctdtrinc, stdtrit

        if len(self.parts) == 1 and not self.parts[0].least:
            (part,) = self.parts
            critical = -float(stdtrit(part.freedom, level / 2))
            return math.sqrt(part.variance) * float(nctdtrinc(part.freedom, 1 - POWER, critical))
        return self.half_width(level) + self.half_width(2 * (1 - POWER))


class Draws(NamedTuple):
    """How several draws of the data vary.

    `overlap` is n_test / n_train of draws that split one pool, and 0 of others; `shared_test` tells that all
    have the same test examples.
    """

    overlap: float = 0.0
    shared_test: bool = False

    def of_subsets(self) -> Draws:
        """Return the same for values of other examples in each draw, which cannot be crossed."""
        return self._replace(shared_test=False)


INDEPENDENT = Draws()


def crossed(values: Tensor, rows: Source = "seeds") -> Sampled:
    """Return the mean of `values (seeds, n)`, sampled over both; with one seed over examples alone.

    The `rows` may be draws instead.
    """
    values = values.double()
    rest = _rest(values)
    return Sampled(float(values.mean()), (*_rows(values, rest, rows), *_examples(values.mean(0), [rest])))


def over_draws(differences: Tensor, overlap: float = 0.0) -> Sampled:
    """Return the mean of the `differences (R,)` of R draws of the data, and how it varies between such means.

    `overlap` is n_test / n_train of draws that split one pool, and 0 of draws sampled anew. A single draw
    says nothing of others.
    """
    differences = differences.double()
    draws = len(differences)
    mean = float(differences.mean())
    if draws == 1:
        return Sampled(mean, ())
    return Sampled(mean, (Part("draws", (1 / draws + overlap) * float(differences.var()), draws - 1),))


def unpaired(ones: Tensor, others: Tensor) -> Sampled:
    """Return the mean of `ones` minus that of `others`, on the same n examples but with seeds of their own.

    `(seeds, n)` each; what the examples contribute is still paired. A single seed adds no part of its own.
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
    """Return what seeds contribute to the variance of the mean, with the rest; nothing for a single seed."""
    rows = len(values)
    return [Part(source, float(values.mean(1).var()) / rows, rows - 1, rest)] if rows > 1 else []


def _examples(means: Tensor, rests: Sequence[Part]) -> list[Part]:
    """Return what examples contribute, without the rests; nothing for a single example."""
    n = len(means)
    if n == 1:
        return []
    alone = float(means.var()) / n - sum(rest.variance for rest in rests)
    return [Part("examples", max(0.0, alone), n - 1)]


def _rest(values: Tensor) -> Part:
    """Return what is left over when the margins are taken out: nothing of a single row or column."""
    seeds, n = values.shape
    freedom = (seeds - 1) * (n - 1)
    if freedom == 0:
        return Part("examples", 0.0, 1)
    left = values - values.mean(1, keepdim=True) - values.mean(0) + values.mean()
    return Part("examples", float(left.square().sum()) / freedom / (seeds * n), freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that rejecting those up to 5 % errs anywhere among them in at most 5 % of tables.

    Holm, "A simple sequentially rejective multiple test procedure" (1979); whatever their dependence.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, k in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = largest
    return adjusted


def mean_of(values: Sequence[Tensor], how: Draws = INDEPENDENT) -> Sampled:
    """Return the mean of `values (seeds, n)` of each draw, and how it varies.

    Seeds and examples of a single draw are crossed; so are several draws and their examples if they share
    these.
    """
    import torch

    if len(values) == 1:
        return crossed(values[0])
    by_example = [of_draw.double().mean(0) for of_draw in values]
    if how.shared_test:
        return crossed(torch.stack(by_example), "draws")
    return over_draws(torch.stack([means.mean() for means in by_example]), how.overlap)


def another_draw(by_draw: Sequence[float]) -> tuple[float, float] | None:
    """Return between which ends the value of another draw lies with a probability of 95 %.

    The prediction interval of Student's t, for values that are about normal; None unless there are several.
    Another draw is as these are: another split of the same pool shares as much with each of them as they do
    with one another, so what they share widens nothing here.
    """
    import torch

    values = torch.tensor(by_draw, dtype=torch.float64)
    if len(values) == 1 or not bool(values.isfinite().all()):
        return None
    variance = (1 + 1 / len(values)) * float(values.var())
    half = Sampled(0.0, (Part("draws", variance, len(values) - 1),)).half_width()
    mean = float(values.mean())
    return mean - half, mean + half
