"""Many small convolutional networks of one shape as one module: a stack."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kdcli.models.computation import Computation, Convolution, as_array
from kdcli.models.network import KERNEL
from kdcli.models.stack import Backward, StackedNetwork, as_input, mask_inactive, piece_of
from kdcli.models.stacked_mlp import StackedMLP, draw_uniform

DROPOUT = 0.5


class StackedCNN(StackedNetwork):
    """`members` networks: filters of 3×3 without padding, ReLU, then a perceptron with dropout.

    filters         (members, n_filters, channels, 3, 3)
    filter_biases   (members, n_filters)
    head            a stack of perceptrons on all filtered pixels

    The `size` of an image is `(channels, rows, columns)`.
    """

    def __init__(
        self,
        size: tuple[int, int, int],
        n_filters: int,
        hidden: Sequence[int],
        n_classes: int,
        members: int = 1,
    ) -> None:
        super().__init__()
        self.members, self.size = members, size
        self.filters = nn.Parameter(torch.empty(members, n_filters, size[0], KERNEL, KERNEL))
        self.filter_biases = nn.Parameter(torch.empty(members, n_filters))
        pixels = math.prod(side - KERNEL + 1 for side in size[1:])
        self.head = StackedMLP((n_filters * pixels, *hidden, n_classes), members, dropout=DROPOUT)
        outputs = (math.prod(size), n_filters * pixels, *hidden, n_classes)
        self.piece = piece_of(outputs, sum(p[0].numel() for p in self.parameters()), members)

    def initialise(self, generators: Sequence[Generator]) -> None:
        """Draw one set of weights per generator, as `StackedMLP.initialise` does."""
        fan_in = self.filters[0, 0].numel()
        draw_uniform([self.filters, self.filter_biases], 1 / math.sqrt(fan_in), generators)
        self.head.initialise(generators)

    @property
    def generators(self) -> Sequence[Generator]:
        """The generators for dropout."""
        return self.head.generators

    def forward(self, x: Tensor) -> Tensor:
        """Map images `x (groups, batch, [channels,] rows, columns)` to logits `(members, n_classes, batch)`.

        The members are split over the groups as in `StackedMLP.forward`.
        """
        channels = self._channels(x)
        h = F.conv2d(channels, self.filters.flatten(0, 1), self.filter_biases.flatten(), groups=self.members)
        logits: Tensor = self.head(self._by_member(h.relu_()))
        return logits

    @property
    def computation(self) -> Computation:
        """Filters and layers of the first member."""
        filters, biases = as_array(self.filters), as_array(self.filter_biases)
        return replace(self.head.computation, convolution=Convolution(filters, biases, self.size))

    @torch.no_grad()
    def add_gradients(self, x: Tensor, backward: Backward) -> None:
        """Add the gradients of a loss on a batch (see `StackedNetwork.add_gradients`)."""
        of_filters, of_biases, *of_head = backward.gradients
        channels = self._channels(x).to(backward.precision)
        filters = self.filters.flatten(0, 1).to(backward.precision)
        biases = self.filter_biases.flatten().to(backward.precision)
        h = F.conv2d(channels, filters, biases, groups=self.members).relu_()
        below = self.head.propagate(self._by_member(h), replace(backward, gradients=of_head), to_input=True)
        gradient = mask_inactive(below.permute(2, 0, 1).reshape(h.shape), h)
        _, product, _ = torch.ops.aten.convolution_backward(
            gradient, channels, filters, None, [1, 1], [0, 0], [1, 1], False, [0, 0], self.members,
            [False, True, False],
        )  # fmt: skip
        product = product.view(of_filters.shape)
        sums = gradient.sum((0, 2, 3), dtype=of_biases.dtype).view(of_biases.shape)
        for total, part in ((of_filters, product), (of_biases, sums)):
            total.copy_(part) if backward.fresh else total.add_(part)

    def _channels(self, x: Tensor) -> Tensor:
        """Lay out images `(groups, batch, [channels,] rows, columns)` with those of each member, batch first.

        The result is `(batch, members · channels, rows, columns)`.
        """
        images = (
            as_input(x, self.filters.dtype).transpose(0, 1).repeat_interleave(self.members // len(x), dim=1)
        )
        return images if images.ndim == 4 else images.flatten(1, 2)

    def _by_member(self, h: Tensor) -> Tensor:
        """View filtered images `(batch, members · filters, rows, columns)` as `(members, batch, pixels)`."""
        return h.view(len(h), self.members, -1).transpose(0, 1)
