"""Many small convolutional networks of one shape as one module: a stack."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kdcli.models.cnn import CNN, KERNEL
from kdcli.models.stack import Stack
from kdcli.models.stacked_mlp import StackedMLP, as_input, draw_uniform

DROPOUT = 0.5


class StackedCNN(Stack):
    """`members` networks: filters of 3×3 without padding, ReLU, then a perceptron with dropout.

    filters         (members, n_filters, 1, 3, 3)
    filter_biases   (members, n_filters)
    head            a stack of perceptrons on all filtered pixels
    """

    def __init__(
        self, size: tuple[int, int], n_filters: int, hidden: Sequence[int], n_classes: int, members: int = 1
    ) -> None:
        super().__init__()
        self.members = members
        self.filters = nn.Parameter(torch.empty(members, n_filters, 1, KERNEL, KERNEL))
        self.filter_biases = nn.Parameter(torch.empty(members, n_filters))
        pixels = math.prod(side - KERNEL + 1 for side in size)
        self.head = StackedMLP((n_filters * pixels, *hidden, n_classes), members, dropout=DROPOUT)
        self.chunk = CNN(n_filters, tuple(hidden)).at_once(size, members)

    def initialise(self, generators: Sequence[Generator]) -> None:
        """Draw one set of weights per generator, as `StackedMLP.initialise` does."""
        draw_uniform([self.filters, self.filter_biases], 1 / KERNEL, generators)
        self.head.initialise(generators)

    @property
    def generators(self) -> Sequence[Generator]:
        """The generators of dropped activations."""
        return self.head.generators

    def forward(self, x: Tensor) -> Tensor:
        """Map images `x (groups, batch, rows, columns)` to logits `(members, n_classes, batch)`.

        The members are split over the groups as in `StackedMLP.forward`.
        """
        groups, batch = x.shape[:2]
        # One channel for each member, and a convolution in as many groups.
        channels = as_input(x).transpose(0, 1).repeat_interleave(self.members // groups, dim=1)
        filters, biases = self.filters.flatten(0, 1), self.filter_biases.flatten()
        h = F.conv2d(channels, filters, biases, groups=self.members).relu_()
        logits: Tensor = self.head(h.view(batch, self.members, -1).transpose(0, 1))
        return logits
