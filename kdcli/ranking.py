"""How well scores rank examples of a class before others, as one value for each example.

scores    (..., n)   larger for what is likelier of the class
positive  (n,)       whether an example is of the class

The mean of an example's values is the metric, and their variance is that of its first-order expansion in the
examples: so intervals are those of a mean (DeLong, DeLong and Clarke-Pearson, 1988, for the area).
"""

from __future__ import annotations

import torch
from torch import Tensor


def area_values(scores: Tensor, positive: Tensor) -> Tensor:
    """Return the values `(..., n)` whose mean is the area under ROC: the share of pairs in order."""
    ones, others = scores[..., positive].contiguous(), scores[..., ~positive].contiguous()
    beaten, beating = _share_below(ones, others), 1 - _share_below(others, ones)
    area = beaten.mean(-1, keepdim=True)
    values = torch.empty_like(scores)
    values[..., positive] = area + (beaten - area) * (len(positive) / ones.shape[-1])
    values[..., ~positive] = area + (beating - area) * (len(positive) / others.shape[-1])
    return values


def _share_below(values: Tensor, others: Tensor) -> Tensor:
    """Return which share of `others (..., m)` is below each of the values `(..., n)`; equal ones by half."""
    ordered = others.sort(-1).values
    below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (below + upto).to(values.dtype) / (2 * others.shape[-1])


def precision_values(scores: Tensor, positive: Tensor) -> Tensor:
    """Return the values `(..., n)` whose mean is the average precision.

    That is the mean over positive examples of the precision among those scored as high as it. What others add
    to the variance is left out.
    """
    ones = scores[..., positive].contiguous()
    ordered, all_ordered = ones.sort(-1).values, scores.sort(-1).values
    at_least, all_at_least = (s.shape[-1] - torch.searchsorted(s, ones) for s in (ordered, all_ordered))
    precision = at_least.to(scores.dtype) / all_at_least
    average = precision.mean(-1, keepdim=True)
    values = average.expand_as(scores).clone()
    values[..., positive] = average + (precision - average) * (len(positive) / ones.shape[-1])
    return values
