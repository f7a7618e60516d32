"""Many perceptrons of one shape as one module: a stack.

Every parameter carries a leading member axis, and activations are laid out features first,
`(members, features, batch)`, so that small models become a few large matrix products.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from kdcli.models.computation import Computation, Dense, as_array
from kdcli.models.stack import (
    Backward,
    StackedNetwork,
    accumulate,
    accumulate_sum,
    as_input,
    mask_inactive,
    piece_of,
)


class StackedMLP(StackedNetwork):
    """`members` perceptrons with layer widths `widths`, inputs first and classes last.

    weights[k]  (members, widths[k + 1], widths[k])
    biases[k]   (members, widths[k + 1])

    In training mode each hidden activation is dropped with probability `dropout`, and the others are
    scaled up to keep the expectation.
    """

    def __init__(self, widths: Sequence[int], members: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.members = members
        self.dropout = dropout
        self.masks: Sequence[Generator] = ()  # one generator for each seed
        pairs = list(pairwise(widths))
        self.weights = nn.ParameterList(torch.empty(members, out, fan_in) for fan_in, out in pairs)
        self.biases = nn.ParameterList(torch.empty(members, out) for _, out in pairs)
        self.layers = tuple(zip(self.weights, self.biases, strict=True))  # a ParameterList is slow to read
        self.piece = piece_of(widths, sum(p[0].numel() for p in self.parameters()), members)

    def initialise(self, generators: Sequence[Generator]) -> None:
        """Draw one set of weights per generator; consecutive members share them evenly.

        With S generators and S·T members, members s·T … s·T + T − 1 start alike, and drop the same
        activations in training. Weights and biases are uniform on ±1/√fan_in, as in `torch.nn.Linear`.
        """
        self.masks = generators
        for weight, bias in self.layers:
            draw_uniform([weight, bias], weight.shape[-1] ** -0.5, generators)

    @property
    def generators(self) -> Sequence[Generator]:
        """The generators for dropout, one for each seed; none without dropout."""
        return self.masks if self.dropout else ()

    def forward(self, x: Tensor) -> Tensor:
        """Map `x (groups, batch, *features)` to logits `(members, n_classes, batch)`.

        The members are split evenly over the groups, in order: group g's batch goes to members
        g·T … g·T + T − 1. Members that share a batch share the first matrix product.
        """
        h = as_input(x, self.weights[0].dtype).flatten(2).mT
        for layer, (weight, bias) in enumerate(self.layers):
            if layer:
                h = h.relu_()  # in place: the matrix product before it does not need its own output
                if self.dropout and self.training:
                    h = h * self._mask(h)
            h = self._affine(h, weight, bias)
        return h

    @property
    def computation(self) -> Computation:
        """The layers of the first member."""
        return Computation(
            softmax=True,
            layers=[Dense(as_array(weight), as_array(bias)) for weight, bias in self.layers],
        )

    @torch.no_grad()
    def take_raw(self, shift: Tensor, scale: Tensor) -> None:
        """Turn perceptrons of (x − shift) / scale, `(members, fan_in)` each, into perceptrons of x."""
        weight, bias = self.layers[0]
        weight.div_(scale.unsqueeze(1))
        bias.sub_((weight.double() @ shift.double().unsqueeze(2)).squeeze(2).to(bias.dtype))

    @torch.no_grad()
    def add_gradients(self, x: Tensor, backward: Backward) -> None:
        """Add the gradients of a loss on a batch (see `StackedNetwork.add_gradients`)."""
        self.propagate(x, backward)

    def propagate(self, x: Tensor, backward: Backward, *, to_input: bool = False) -> Tensor:
        """Do what `add_gradients` does; `to_input` returns the gradient of x `(groups, fan_in, batch)`."""
        layers, h = self.layers, as_input(x).flatten(2).mT
        if backward.precision != torch.float32:
            layers = tuple((w.to(backward.precision), b.to(backward.precision)) for w, b in layers)
            h = h.to(backward.precision)
        inputs, masks = [], []
        for layer, (weight, bias) in enumerate(layers):
            if layer:
                h = h.relu_()
                if self.dropout:
                    masks.append(self._mask(h))
                    h.mul_(masks[-1])
            inputs.append(h)
            h = self._affine(h, weight, bias)
        gradient = backward.upstream(h.float()).to(backward.precision)
        fresh = backward.fresh
        of_weights, of_biases = backward.gradients[: len(layers)], backward.gradients[len(layers) :]
        for layer in reversed(range(len(layers))):
            h = inputs[layer]
            groups, fan_in, batch = h.shape
            accumulate_sum(of_biases[layer], gradient, fresh=fresh)
            rows = gradient.view(groups, -1, batch)
            accumulate(of_weights[layer].view(groups, -1, fan_in), rows, h.mT, fresh=fresh)
            if layer or to_input:
                gradient = torch.bmm(layers[layer][0].view(groups, -1, fan_in).mT, rows)
            if layer:
                if self.dropout:
                    gradient.mul_(masks[layer - 1])
                mask_inactive(gradient, h)
        return gradient

    def _affine(self, h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Map `h (groups, fan_in, batch)` to weight · h + bias, `(members, out, batch)`."""
        groups, fan_in, batch = h.shape
        bias_rows, weight_rows = bias.view(groups, -1, 1), weight.view(groups, -1, fan_in)
        return torch.baddbmm(bias_rows, weight_rows, h).view(self.members, -1, batch)

    def _mask(self, h: Tensor) -> Tensor:
        """Return the dropout mask of `h (members, features, batch)`: 0 to drop, or the scale to keep."""
        kept = 1 - self.dropout
        draws = [torch.empty(h.shape[1:]).bernoulli_(kept, generator=mask) for mask in self.masks]
        mask = torch.stack(draws).div_(kept).to(h)
        return mask.repeat_interleave(self.members // len(draws), dim=0)


@torch.no_grad()
def draw_uniform(parameters: Sequence[nn.Parameter], bound: float, generators: Sequence[Generator]) -> None:
    """Fill parameters `(members, ...)` with draws from ±bound, the same for the members of one generator."""
    for s, generator in enumerate(generators):
        for parameter in parameters:
            copies = len(parameter) // len(generators)
            draw = torch.empty(parameter.shape[1:]).uniform_(-bound, bound, generator=generator)
            parameter[s * copies : (s + 1) * copies] = draw
