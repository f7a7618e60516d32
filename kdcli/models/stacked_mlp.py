"""Many perceptrons of one shape as one module: a stack.

Every parameter carries a leading member axis, and activations are laid out features first,
`(members, features, batch)`, so that small models become a few large matrix products.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn


class StackedMLP(nn.Module):
    """`members` perceptrons with layer widths `widths`, inputs first and classes last.

    weights[k]  (members, widths[k + 1], widths[k])
    biases[k]   (members, widths[k + 1])
    """

    def __init__(self, widths: Sequence[int], members: int = 1) -> None:
        super().__init__()
        self.members = members
        pairs = list(pairwise(widths))
        self.weights = nn.ParameterList(torch.empty(members, out, fan_in) for fan_in, out in pairs)
        self.biases = nn.ParameterList(torch.empty(members, out) for _, out in pairs)

    @torch.no_grad()
    def initialise(self, generators: Sequence[Generator]) -> None:
        """Draw one set of weights per generator; consecutive members share them evenly.

        With S generators and S·T members, members s·T … s·T + T − 1 start alike. Weights and biases
        are uniform on ±1/√fan_in, as in `torch.nn.Linear`.
        """
        copies = self.members // len(generators)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            bound = weight.shape[-1] ** -0.5
            for s, generator in enumerate(generators):
                rows = slice(s * copies, (s + 1) * copies)
                for parameter in (weight, bias):
                    draw = torch.empty(parameter.shape[1:]).uniform_(-bound, bound, generator=generator)
                    parameter[rows] = draw

    def forward(self, x: Tensor) -> Tensor:
        """Map `x (groups, batch, *features)` to logits `(members, n_classes, batch)`.

        The members are split evenly over the groups, in order: group g's batch goes to members
        g·T … g·T + T − 1. Members that share a batch share the first matrix product.
        """
        h = x.flatten(2).mT
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                h = h.relu_()  # in place: the matrix product before it does not need its own output
            groups, fan_in, batch = h.shape
            bias_rows, weight_rows = bias.view(groups, -1, 1), weight.view(groups, -1, fan_in)
            h = torch.baddbmm(bias_rows, weight_rows, h).view(self.members, -1, batch)
        return h

    def parameters_of(self, members: slice) -> dict[str, Tensor]:
        """Return the parameters of some members, as a state dict of a smaller stack."""
        return {name: value[members] for name, value in self.state_dict().items()}
