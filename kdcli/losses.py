"""The one loss of every target, as pure functions of logits and target.

    (1 - w) · T² · KL(target ‖ softmax(z / T))  +  w · cross-entropy(y, softmax(z))

after Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015), section 2,
with the divergence in place of the cross-entropy, so that a perfect match scores 0. With a
one-hot target, T = 1 and w = 0 it is the cross-entropy with that label.

Everywhere here the class axis is the last but one and the example axis the last,
`(..., n_classes, n)`: the layout in which a stack of models computes.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


def distillation_loss(logits: Tensor, target: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """T² · KL(target ‖ softmax(logits / T)), in nats, summed over classes and averaged over examples.

    `logits` and `target` are `(..., n_classes, n)`, the result `(...,)`; a temperature tensor
    broadcasts against `logits`. A target probability of 0 contributes 0; the loss is infinite
    only where the student excludes what the target allows.
    """
    log_p = torch.log_softmax(logits / temperature, dim=-2)
    divergence = (torch.special.xlogy(target, target) - torch.where(target > 0, target * log_p, 0.0)).sum(-2)
    scale = temperature.squeeze(-2) if isinstance(temperature, Tensor) else temperature
    loss: Tensor = (scale**2 * divergence).mean(-1)
    return loss


def distillation_gradient(logits: Tensor, target: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Gradient of `distillation_loss` in the logits: T · (softmax(logits / T) − target) / n.

    In closed form, because the value of the loss is needed only where a curve records it:
    several times faster than differentiating a log-softmax.
    """
    gradient = torch.softmax(logits / temperature, dim=-2)
    return gradient.sub_(target).mul_(temperature / logits.shape[-1])


@dataclass(frozen=True)
class Objective:
    """What a stack learns on one split: a target, a temperature and a label weight for each of its sets.

    target        (sets, n_classes, n)  class probabilities
    temperature   (sets, 1, 1)          T of each set
    labels        (n_classes, n)        one-hot true labels
    label_weight  (sets, 1, 1)          w of each set; None where every w is 0

    Logits come as `(groups, sets, n_classes, batch)`: a group holds the members that share a batch,
    one member of each set.
    """

    target: Tensor
    temperature: Tensor
    labels: Tensor
    label_weight: Tensor | None = None

    @property
    def sets(self) -> int:
        """Number of sets, which is the number of members in each group."""
        return self.temperature.shape[0]

    def by_example(self) -> "Objective":
        """Return the same objective, laid out in memory so that `take` copies whole examples."""
        target, labels = (t.movedim(-1, 0).contiguous().movedim(0, -1) for t in (self.target, self.labels))
        return replace(self, target=target, labels=labels)

    def take(self, index: Tensor) -> "Objective":
        """Return the objective on the examples `index (groups, batch)`, with a leading group axis."""
        groups, batch = index.shape

        def taken(source: Tensor) -> Tensor:
            rows = source.movedim(-1, 0).index_select(0, index.flatten())
            return rows.view(groups, batch, *rows.shape[1:]).movedim(1, -1)

        # Without a weight nothing reads the labels, and they need not be copied.
        labels = self.labels if self.label_weight is None else taken(self.labels).unsqueeze(1)
        return replace(self, target=taken(self.target), labels=labels)

    def part(self, start: int, stop: int) -> "Objective":
        """Return the objective on a run of examples."""
        return replace(self, target=self.target[..., start:stop], labels=self.labels[..., start:stop])

    def to(self, device: torch.device) -> "Objective":
        """Return the objective with its tensors on a device."""
        weight = None if self.label_weight is None else self.label_weight.to(device)
        return Objective(self.target.to(device), self.temperature.to(device), self.labels.to(device), weight)

    def loss(self, logits: Tensor) -> Tensor:
        """Return the loss of every member, `(groups, sets)`."""
        soft = distillation_loss(logits, self.target, self.temperature)
        if self.label_weight is None:
            return soft
        weight = self.label_weight[:, 0, 0]
        return (1 - weight) * soft + weight * distillation_loss(logits, self.labels)

    def gradient(self, logits: Tensor) -> Tensor:
        """Return the gradient of the sum of `loss` over members, in the shape of the logits."""
        gradient = distillation_gradient(logits, self.target, self.temperature)
        if self.label_weight is None:
            return gradient
        hard = distillation_gradient(logits, self.labels)
        return gradient.mul_(1 - self.label_weight).add_(hard.mul_(self.label_weight))
