"""Temperature scaling: one number for each model that calibrates it and changes no class.

Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LEAST, MOST = 0.05, 20.0  # of the temperature
EDGE = 1e-6  # share of the lowest temperature within which it was not found, but is the end
STEPS = 60  # that halve the interval in which its logarithm lies


def temperature(logits: Tensor, y: Tensor) -> Tensor:
    """Return the temperatures `(...)` at which `logits (..., n, n_classes)` have the lowest NLL of `y (n,)`.

    The NLL of logits · β is convex in β = 1 / T, and its derivative is the mean expected logit less that of
    the label: where that is 0 is found by bisection. 1 where a model excludes a label, which no temperature
    mends, and where it has all labels right: they would have it ever surer, which is no calibration.
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
