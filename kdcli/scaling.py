"""Temperature scaling: one number for each model that calibrates it without changing its predicted classes.

Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LEAST, MOST = 0.05, 20.0  # of the temperature
EDGE = 1e-6  # a temperature this close to the lowest, relatively, is the end of the search, not a minimum
STEPS = 60  # of bisection on the logarithm of the temperature


def temperature(logits: Tensor, y: Tensor) -> Tensor:
    """Return the temperatures `(...)` at which `logits (..., n, n_classes)` have the lowest NLL of `y (n,)`.

    The NLL of logits · β is convex in β = 1 / T, and its derivative is the mean expected logit minus the mean
    logit of the label: bisection finds its zero. The result is 1 if a model gives a label probability 0, as
    no temperature helps, and if it predicts all labels: the NLL then falls without end as T falls.
    """
    import torch

    z = logits.double()
    z = z - z.amax(-1, keepdim=True)
    index = y.expand(z.shape[:-1]).unsqueeze(-1)
    of_label = z.gather(-1, index).squeeze(-1).mean(-1)
    finite = z.nan_to_num(neginf=0.0)
    low = torch.full(z.shape[:-2], 1 / MOST, dtype=torch.float64).log()
    high = torch.full(z.shape[:-2], 1 / LEAST, dtype=torch.float64).log()
    for _ in range(STEPS):
        middle = (low + high) / 2
        p = (z * middle.exp()[..., None, None]).softmax(-1)
        above = (p * finite).sum(-1).mean(-1) > of_label  # the NLL rises with β
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    found = (-(low + high) / 2).exp()
    endless = found < LEAST * (1 + EDGE)
    return torch.where(of_label.isfinite() & ~endless, found, torch.ones_like(found))
