"""How good a model is on a labelled test split, as pure functions in log space.

Logits are `(..., n, n_classes)` and labels `(n,)`; a result is `(...,)`, one value per model.
No probability is clipped: a model that excludes what happened has an infinite likelihood loss.
"""

from types import MappingProxyType

import torch
from torch import Tensor


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of examples whose largest logit is that of their label."""
    return hits(logits, y).mean(-1)


def hits(logits: Tensor, y: Tensor) -> Tensor:
    """Whether each example's largest logit is that of its label, 1.0 or 0.0, `(..., n)`."""
    return (logits.argmax(-1) == y).double()


def errors(logits: Tensor, y: Tensor) -> Tensor:
    """Count the examples whose largest logit is not that of their label."""
    return (logits.argmax(-1) != y).sum(-1)


def nll(logits: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood of the labels under softmax(logits), in nats per example."""
    log_p = torch.log_softmax(logits.double(), dim=-1)
    index = y.expand(log_p.shape[:-1]).unsqueeze(-1)
    return -log_p.gather(-1, index).squeeze(-1).mean(-1)


METRICS = MappingProxyType({"accuracy": accuracy, "errors": errors, "nll": nll})


def measure(logits: Tensor, y: Tensor) -> dict[str, list[float]]:
    """Every metric of METRICS, as one list with a value for each model of `logits (models, n, n_classes)`."""
    return {name: metric(logits, y).tolist() for name, metric in METRICS.items()}


def measure_one(logits: Tensor, y: Tensor) -> dict[str, float]:
    """Every metric of METRICS, for one model's `logits (n, n_classes)`."""
    return {name: values[0] for name, values in measure(logits.unsqueeze(0), y).items()}
