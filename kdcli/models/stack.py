"""Stacks: several models of one shape, computed together. Every built model is a stack."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from kdcli.models.computation import Computation

AT_ONCE = 16_384  # examples that trees process at a time
WORKING_SET = 2**19  # activations of a piece: 2 MiB of numbers, about the size of a core's cache
LEAST_PIECE = 256  # examples; fewer would not be worth the overhead of a call

Upstream: TypeAlias = Callable[[Tensor], Tensor]
"""Gives the gradient of a loss in the logits `(members, n_classes, batch)`, float32 both."""


@dataclass(frozen=True)
class Backward:
    """How to compute the gradients of a loss with respect to the parameters of a stack.

    `gradients` has a tensor for each parameter, in the order and the shape of `parameters()`; if `fresh`,
    their previous content is overwritten. Matrix products are computed in `precision`.
    """

    upstream: Upstream
    gradients: Sequence[Tensor]
    fresh: bool = True
    precision: torch.dtype = torch.float32


class Stack(nn.Module):
    """`members` models of one shape.

    Called with `x (groups, batch, *features)` it returns logits `(members, n_classes, batch)`, with the
    members split evenly over the groups, in order. Every tensor of its state has a leading member axis.
    `piece` is the number of examples computed at a time, so that they fit in a processor's cache.
    """

    members: int
    piece: int = AT_ONCE

    @property
    def generators(self) -> Sequence[Generator]:
        """Return the random generators that training draws from, such as for dropout."""
        return ()

    @property
    def computation(self) -> Computation:
        """The computation of the first member; raises NotImplementedError for models that only run in kd."""
        raise NotImplementedError(f"{type(self).__name__} has no plain computation")

    def parameters_of(self, members: Sequence[int]) -> dict[str, Tensor]:
        """Return the parameters of some members, as a state dict of a smaller stack."""
        return {name: value[list(members)] for name, value in self.state_dict().items()}

    @torch.no_grad()
    def predict(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        """Return logits `(members, n, n_classes)` for `x (n, *features)`, in evaluation mode, on the CPU.

        With an `index (groups, n)`, each group of members predicts its own examples of x.
        """
        self.eval()
        n = len(x) if index is None else index.shape[1]
        parts = [self(batch_of(x, index, start, stop)).mT for start, stop in pieces(n, self.piece)]
        return torch.cat(parts, dim=1).contiguous().cpu()

    def numbers(self) -> tuple[float, float]:
        """Return the size of a member in numbers and in bytes: means over members."""
        tensors = self.state_dict().values()
        count = sum(tensor.numel() for tensor in tensors)
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return count / self.members, size / self.members


class StackedNetwork(Stack, ABC):
    """A stack that is trained by gradients."""

    @abstractmethod
    def initialise(self, generators: Sequence[Generator]) -> None:
        """Draw one set of weights per generator; consecutive members share them evenly."""

    def take_raw(self, shift: Tensor, scale: Tensor) -> None:
        """Turn models of (x − shift) / scale, `(members, features)` each, into models of x."""
        raise NotImplementedError(f"{type(self).__name__} does not learn from standardised features")

    @abstractmethod
    def add_gradients(self, x: Tensor, backward: Backward) -> None:
        """Add the gradients of a loss on `x (groups, batch, *features)`, in closed form, in training mode."""


def pieces(examples: int, most: int) -> Iterator[tuple[int, int]]:
    """Split a number of examples into even pieces of at most `most`; yields the start and stop of each."""
    size = math.ceil(examples / math.ceil(examples / most))
    for start in range(0, examples, size):
        yield start, min(start + size, examples)


def batch_of(x: Tensor, index: Tensor | None, start: int, stop: int) -> Tensor:
    """Return consecutive examples of `x (n, *features)`, or of an `index (groups, n)` into it, by group."""
    if index is None:
        return x[start:stop].unsqueeze(0)
    rows = index[:, start:stop]
    return x.index_select(0, rows.flatten()).view(*rows.shape, *x.shape[1:])


def piece_of(outputs: Sequence[int], parameters: int, members: int) -> int:
    """Return the number of examples that a stack computes at a time; `outputs` are the sizes of its layers.

    All activations fit in the cache, unless the parameters do not: then there are enough examples to outweigh
    reading the parameters.
    """
    numbers = members * sum(outputs[1:])
    return max(LEAST_PIECE, WORKING_SET // numbers, members * parameters // numbers)


def as_input(x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the input of a network in a type; bytes of images become numbers from 0 to 1."""
    return x.to(dtype) if x.is_floating_point() else x.to(dtype).div_(255)


def accumulate(gradient: Tensor, left: Tensor, right: Tensor, *, fresh: bool) -> None:
    """Add the product `left (b, n, k) @ right (b, k, m)` to `gradient (b, n, m)`, or store it if `fresh`."""
    if left.dtype == gradient.dtype:
        gradient.baddbmm_(left, right, beta=0 if fresh else 1)
    elif fresh:
        gradient.copy_(torch.bmm(left, right))
    else:
        gradient.add_(torch.bmm(left, right))


def accumulate_sum(gradient: Tensor, rows: Tensor, *, fresh: bool) -> None:
    """Add the sums of `rows (..., batch)` over the batch to `gradient (...)`, or store them if `fresh`."""
    if fresh:
        torch.sum(rows, -1, dtype=gradient.dtype, out=gradient)
    else:
        gradient.add_(rows.sum(-1, dtype=gradient.dtype))


def mask_inactive(gradient: Tensor, activation: Tensor) -> Tensor:
    """Set `gradient` to 0 in place where a ReLU's `activation`, of the same shape, is 0; returns it."""
    torch.ops.aten.threshold_backward.grad_input(gradient, activation, 0.0, grad_input=gradient)
    return gradient
