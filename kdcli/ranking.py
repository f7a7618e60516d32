"""Metrics of ranking, how well scores rank the examples of a class above others: one value for each example.

scores    (..., n)   larger for examples that are more likely of the class
positive  (n,)       whether an example is of the class

The mean of the examples' values is the metric, and their variance is that of its first-order expansion in the
examples, so intervals are those of a mean (DeLong, DeLong and Clarke-Pearson, 1988, for the area).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


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
    """Return the share of `others (..., m)` below each of the `values (..., n)`; equal ones count half."""
    ordered = others.sort(-1).values
    below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (below + upto).to(values.dtype) / (2 * others.shape[-1])


def precision_values(scores: Tensor, positive: Tensor) -> Tensor:
    """Return the values `(..., n)` whose mean is the average precision.

    That is the mean over positive examples of the precision among all examples with at least their score.
    Each example also counts for its effect on the precision of the positive examples scored no higher.
    """
    ordered, all_ordered = scores[..., positive].sort(-1).values, scores.sort(-1).values
    found, flagged = (s.shape[-1] - torch.searchsorted(s, ordered) for s in (ordered, all_ordered))
    precision = found.to(scores.dtype) / flagged
    average = precision.mean(-1, keepdim=True)
    upto = torch.searchsorted(ordered, scores.contiguous(), right=True)

    def below(gains: Tensor) -> Tensor:
        return pad(gains.cumsum(-1), (1, 0)).gather(-1, upto)

    own = precision.gather(-1, (upto - 1).clamp(min=0)) - average
    gain, loss = own + below((1 - precision) / flagged), below(precision / flagged)
    return average + torch.where(positive, gain, -loss) * (len(positive) / ordered.shape[-1])
