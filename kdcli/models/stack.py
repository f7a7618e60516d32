"""What all models are once they are built: several of one shape, computed together."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from kdcli.models.computation import Computation

AT_ONCE = 16_384  # examples that trees look at together
WORKING_SET = 2**19  # numbers of all activations of a piece: 2 MiB, about what a core's cache holds
LEAST_PIECE = 256  # examples, so that products stay worth their calls

Upstream: TypeAlias = Callable[[Tensor], Tensor]
"""Gives the gradient of a loss in the logits `(members, n_classes, batch)`, float32 both."""


@dataclass(frozen=True)
class Backward:
    """How the gradients of a loss in the parameters of a stack are computed.

    There is one of `gradients` for each parameter, in the order and the shape of `parameters()`; what they
    hold before counts for nothing if they are to be `fresh`. Matrix products are computed in `precision`.
    """

    upstream: Upstream
    gradients: Sequence[Tensor]
    fresh: bool = True
    precision: torch.dtype = torch.float32


class Stack(nn.Module):
    """`members` models of one shape.

    Called with `x (groups, batch, *features)` it gives logits `(members, n_classes, batch)`, the members
    split evenly over the groups, in order. Every tensor of its state has a leading member axis. `piece`
    is how many examples are computed at once: as many as stay in a processor's cache.
    """

    members: int
    piece: int = AT_ONCE

    @property
    def generators(self) -> Sequence[Generator]:
        """Return the random generators that training draws from, such as for dropout."""
        return ()

    @property
    def computation(self) -> Computation:
        """What the first member computes; raises NotImplementedError for what runs in kd alone."""
        raise NotImplementedError(f"{type(self).__name__} has no plain computation")

    def parameters_of(self, members: Sequence[int]) -> dict[str, Tensor]:
        """Return the parameters of some members, as a state dict of a smaller stack."""
        return {name: value[list(members)] for name, value in self.state_dict().items()}

    @torch.no_grad()
    def predict(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        """Return logits `(members, n, n_classes)` for `x (n, *features)`, in evaluation mode, on the CPU.

        With an `index (groups, n)`, those for the examples that each group of members has in x.
        """
        self.eval()
        n = len(x) if index is None else index.shape[1]
        parts = [self(batch_of(x, index, start, stop)).mT for start, stop in pieces(n, self.piece)]
        return torch.cat(parts, dim=1).contiguous().cpu()

    def numbers(self) -> tuple[float, float]:
        """Return how many numbers a member consists of, and how many bytes: means over members."""
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
        """Turn models that take (x − shift) / scale, `(members, features)` each, into ones that take x."""
        raise NotImplementedError(f"{type(self).__name__} does not learn from standardised features")

    @abstractmethod
    def add_gradients(self, x: Tensor, backward: Backward) -> None:
        """Add the gradients of a loss on `x (groups, batch, *features)`, in closed form, in training mode."""


def pieces(examples: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut so many examples into runs of at most `most`, of even size; yields start and stop of each."""
    size = math.ceil(examples / math.ceil(examples / most))
    for start in range(0, examples, size):
        yield start, min(start + size, examples)


def batch_of(x: Tensor, index: Tensor | None, start: int, stop: int) -> Tensor:
    """Return a run of the examples `x (n, *features)`, or of those of an `index (groups, n)`, by group."""
    if index is None:
        return x[start:stop].unsqueeze(0)
    rows = index[:, start:stop]
    return x.index_select(0, rows.flatten()).view(*rows.shape, *x.shape[1:])


def piece_of(outputs: Sequence[int], parameters: int, members: int) -> int:
    """Return how many examples a stack computes at once, whose members make these `outputs`, input first.

    All activations stay in the cache, unless the parameters do not either: then there are as many examples
    as outweigh reading those.
    """
    numbers = members * sum(outputs[1:])
    return max(LEAST_PIECE, WORKING_SET // numbers, members * parameters // numbers)


def as_input(x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return what a network computes on, of a type: bytes of images are numbers from 0 to 1."""
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
