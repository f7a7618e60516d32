"""Losses as pure functions of logits and target, and the objective that a stack of models minimises.

The usual loss, for every target:

    (1 - w) · T² · KL(target ‖ softmax(z / T))  +  w · cross-entropy(y, softmax(z))

after Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015), section 2,
with the divergence in place of the cross-entropy, so that a perfect match scores 0. With a
one-hot target, T = 1 and w = 0 it is the cross-entropy with that label.

Throughout this module, the class axis is the last but one and the example axis the last,
`(..., n_classes, n)`: the layout in which a stack of models computes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

SMALLEST = 1e-300  # a target below it counts as 0, so that p / q stays within float64


def distillation_loss(
    logits: Tensor, target: Tensor, temperature: Tensor | float = 1.0, weights: Tensor | None = None
) -> Tensor:
    """T² · KL(target ‖ softmax(logits / T)), in nats, summed over classes and averaged over examples.

    `logits` and `target` are `(..., n_classes, n)`, the result `(...,)` float64; a temperature tensor
    broadcasts against `logits`, and `weights` of the examples against
    `(..., n)`. A target probability of 0 contributes 0; the loss is infinite
    only if the student gives probability 0 to a class that the target allows.

    With q the target, p the student's probabilities and u = log p − log q, the divergence is the sum of
    p − q − q·u: no term is negative, and all are exactly 0 at a perfect match. It is computed as
    q · (expm1(u) − u), since at a high temperature p and q agree in all digits but a few, or as p where
    q is 0.
    """
    log_p = torch.log_softmax(logits.double() / temperature, dim=-2)
    q = target.double()
    allowed = q > SMALLEST
    u = log_p - torch.where(allowed, q, 1.0).log()
    terms = torch.where(allowed, q * (torch.expm1(u) - u), log_p.exp())
    divergence = terms.clamp_min(0).sum(-2)  # rounding may leave −1e-30
    scale = temperature.squeeze(-2) if isinstance(temperature, Tensor) else temperature
    loss: Tensor = scale**2 * divergence
    return (loss if weights is None else loss * weights).mean(-1)


def distillation_gradient(
    logits: Tensor, target: Tensor, temperature: Tensor | float = 1.0, examples: int | None = None
) -> Tensor:
    """Gradient of `distillation_loss` in the logits: T · (softmax(logits / T) − target) / n.

    It is computed in closed form, in the precision of the logits, because the value of the loss is needed
    only where a curve records it. `examples` is the n to divide by, if the logits are a part of a batch.
    """
    if isinstance(temperature, Tensor):
        temperature = temperature.to(logits.dtype)
    scale = temperature / (examples or logits.shape[-1])
    if logits.shape[-2] == 2:  # the two gradients are opposite, and a sigmoid takes half the time
        gradient = ((logits[..., 1:, :] - logits[..., :1, :]) / temperature).sigmoid_()
        gradient.sub_(target[..., 1:, :].to(gradient.dtype)).mul_(scale)
        return torch.cat([-gradient, gradient], dim=-2)
    gradient = torch.softmax(logits / temperature, dim=-2)
    return gradient.sub_(target.to(gradient.dtype)).mul_(scale)


@dataclass(frozen=True)
class Loss:
    """A loss of logits under a target, both `(..., n_classes, n)`, at a temperature.

    value     `value(logits, target, temperature, weights)` returns the loss `(...,)` float64; the weights
              of the examples `(..., n)` are None if all are 1
    gradient  `gradient(logits, target, temperature, examples)` returns the gradient of `value` in the
              logits, which are a part of `examples` examples of weight 1; None means automatic
              differentiation
    is_mean   whether it is a mean over examples: then batches and splits may be computed in pieces
    """

    value: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
    gradient: Callable[[Tensor, Tensor, Tensor, int], Tensor] | None = None
    is_mean: bool = True

    def gradient_of(
        self, logits: Tensor, target: Tensor, temperature: Tensor, weights: Tensor | None, examples: int
    ) -> Tensor:
        """Return the gradient of the sum of `value` in the logits, which are a part of all `examples`."""
        if self.gradient is not None:
            return _weighted(self.gradient(logits, target, temperature, examples), weights)
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.value(leaf, target, temperature, weights).sum(), leaf)
        return gradient * (logits.shape[-1] / examples) if self.is_mean else gradient


def _weighted(gradient: Tensor, weights: Tensor | None) -> Tensor:
    """Return a gradient `(..., n_classes, n)` with the examples weighted."""
    return gradient if weights is None else gradient.mul_(weights.unsqueeze(-2).to(gradient.dtype))


LOSSES = MappingProxyType({"kl": Loss(distillation_loss, distillation_gradient)})


@dataclass(frozen=True)
class Objective:
    """The objective of a stack on one split: targets, temperatures and label weights.

    target        (draws, 1, sets, n_classes, n)  probabilities; float64, for losses at high temperatures;
                                                  with `seeds` in place of the 1 if each has its own
    temperature   (sets, 1, 1)                    T of each set, float64 as well
    labels        (draws, 1, 1, n_classes, n)     one-hot true labels
    label_weight  (sets, 1, 1)                    w of each set; None if every w is 0
    loss_name                                     the loss under the target, one of LOSSES
    weights       (draws, 1, 1, n)                weights of the examples, float64; None if all are 1

    Logits are `(draws, seeds, sets, n_classes, batch)`. If each seed has a batch of its own, so has the
    target: `seeds` in place of the 1.
    """

    target: Tensor
    temperature: Tensor
    labels: Tensor
    label_weight: Tensor | None = None
    loss_name: str = "kl"
    weights: Tensor | None = None

    @property
    def is_mean(self) -> bool:
        """Whether the loss is a mean over examples, and so may be computed in pieces."""
        return LOSSES[self.loss_name].is_mean

    @property
    def sets(self) -> int:
        """Number of sets."""
        return self.temperature.shape[0]

    def by_example(self) -> "Objective":
        """Return the same objective, laid out in memory so that `take` copies whole examples."""
        target, labels = (t.movedim(-1, 2).contiguous().movedim(2, -1) for t in (self.target, self.labels))
        return replace(self, target=target, labels=labels)

    def take(self, index: Tensor) -> "Objective":
        """Return the objective on the examples `index (draws, seeds, batch)` of each draw."""
        n = self.target.shape[-1]

        def taken(source: Tensor) -> Tensor:
            draws, seeds = source.shape[:2]
            first = n * torch.arange(draws * seeds, device=index.device).view(draws, seeds, 1)
            by_example = source.movedim(-1, 2).flatten(0, 2)
            examples = by_example.index_select(0, (index + first).flatten())
            return examples.view(*index.shape, *examples.shape[1:]).movedim(2, -1)

        # Without a weight nothing reads the labels, and they need not be copied.
        labels = self.labels if self.label_weight is None else taken(self.labels)
        weights = None if self.weights is None else taken(self.weights)
        return replace(self, target=taken(self.target), labels=labels, weights=weights)

    def part(self, start: int, stop: int) -> "Objective":
        """Return the objective on the examples from `start` to `stop`."""
        run = (..., slice(start, stop))
        weights = None if self.weights is None else self.weights[run]
        return replace(self, target=self.target[run], labels=self.labels[run], weights=weights)

    def loss(self, logits: Tensor) -> Tensor:
        """Return the loss of every member, `(draws, seeds, sets)`."""
        soft = LOSSES[self.loss_name].value(logits, self.target, self.temperature, self.weights)
        if self.label_weight is None:
            return soft
        weight = self.label_weight[:, 0, 0]
        return (1 - weight) * soft + weight * distillation_loss(logits, self.labels, 1.0, self.weights)

    def hits(self, logits: Tensor) -> Tensor:
        """Count the examples whose label every member predicts, `(draws, seeds, sets)` float64."""
        # The index of the maximum is several times as fast as argmax over a class axis that is not the last.
        return (logits.max(-2).indices == self.labels.max(-2).indices).sum(-1).double()

    def gradient(self, logits: Tensor, examples: int | None = None) -> Tensor:
        """Return the gradient of the sum of `loss` over members, in the shape of the logits.

        `examples` is the number of examples in the whole batch, if the logits are a part of it.
        """
        n = examples or logits.shape[-1]
        loss = LOSSES[self.loss_name]
        gradient = loss.gradient_of(logits, self.target, self.temperature, self.weights, n)
        if self.label_weight is None:
            return gradient
        hard = _weighted(distillation_gradient(logits, self.labels, 1.0, n), self.weights)
        weight = self.label_weight.to(gradient.dtype)
        return gradient.mul_(1 - weight).add_(hard.mul_(weight))
