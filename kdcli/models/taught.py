"""The examples and targets of a lesson on one split in one draw, for models trained one by one."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdcli.losses import distillation_loss
from kdcli.models.family import Lesson, Teaching


@dataclass(frozen=True)
class Taught:
    """Targets at `points (n, features)`, in the form for scikit-learn and XGBoost.

    `target` and `labels` are `(n, n_classes)`, float64; `weights (n,)` are those of the examples, if there
    are any. The target was softened at `temperature`; `label_weight` is the weight of the labels in the loss.
    """

    points: Any
    target: Tensor
    labels: Tensor
    temperature: float = 1.0
    label_weight: float = 0.0
    weights: Tensor | None = None

    @classmethod
    def of(cls, teaching: Teaching, lesson: Lesson, draw: int, split: str, place: int = 0) -> "Taught":
        """Return the targets of a lesson for the seed with index `place`."""
        return cls(
            teaching.x[teaching.index[split][draw]].flatten(1).float().numpy(),
            lesson.target(split, draw, place),
            teaching.labels[split][draw],
            lesson.temperature,
            lesson.label_weight,
            teaching.weights[split][draw] if teaching.weights else None,
        )

    @property
    def parts(self) -> list[tuple[float, Tensor, float]]:
        """The target and the labels with their weights in the loss and temperatures, without zero weights."""
        parts = [
            (1 - self.label_weight, self.target, self.temperature),
            (self.label_weight, self.labels, 1.0),
        ]
        return [part for part in parts if part[0]]

    def losses(self, logits: Tensor) -> Tensor:
        """Return the loss of each example `(n,)`, in nats, at `logits (n, n_classes)`."""
        losses = torch.zeros(len(logits), dtype=torch.float64)
        for share, rows, temperature in self.parts:
            losses += share * distillation_loss(logits.unsqueeze(2), rows.unsqueeze(2), temperature)
        return losses if self.weights is None else losses * self.weights
