"""The computation of a single model as plain arrays, for exports that run without kd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from torch import Tensor

Array: TypeAlias = np.ndarray


@dataclass(frozen=True)
class Dense:
    """A layer that computes `weight (out, in) · x + bias (out,)`, float32."""

    weight: Array
    bias: Array

    def about(self, x: Array) -> tuple[Array, Dense]:
        """Return a centre `(in,)` and a layer that computes from x − centre what this layer computes from x.

        Large numbers that vary little, such as years, lose most of their digits when their products with
        weights cancel with the bias in a 32-bit sum; differences from the centre do not. The centre is the
        mean of the rows `x (n, in)`, or 0 for features that are not large compared with their deviation.
        """
        mean, deviation = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
        centre = np.where(abs(mean) > 2 * deviation, mean, 0.0).astype(np.float32)
        bias = self.bias + self.weight.astype(np.float64) @ centre.astype(np.float64)
        return centre, Dense(self.weight, bias.astype(np.float32))


@dataclass(frozen=True)
class Convolution:
    """Filters `(n, channels, side, side)` without padding, each with a bias; then ReLU, and flattening.

    Its input has the `size` `(channels, rows, columns)`.
    """

    filters: Array
    bias: Array
    size: tuple[int, int, int]

    @property
    def output(self) -> tuple[int, int, int]:
        """The size of the output, `(n, rows − side + 1, columns − side + 1)`."""
        n, _, side, _ = self.filters.shape
        return n, self.size[1] - side + 1, self.size[2] - side + 1


@dataclass(frozen=True)
class Trees:
    """Decision trees whose leaves are added up, with one list of all inner nodes and one of all leaves.

    An inner node goes left if its feature is at most its threshold. Branches and roots are numbers of inner
    nodes, or −1 − k for leaf k.

    feature    (inner,)          the feature that the node compares
    threshold  (inner,)          float32: no 32-bit value lies between it and the stored threshold
    branches   (inner, 2)        left and right
    roots      (trees,)
    value      (leaves, width)   float32: what a leaf adds to the outputs
    first      (trees,)          the first output that a tree adds to
    base       (outputs,)        float32: the outputs without any tree
    """

    feature: Array
    threshold: Array
    branches: Array
    roots: Array
    value: Array
    first: Array
    base: Array

    @classmethod
    def of(cls, arrays: Mapping[str, Tensor], value: Tensor, first: Array, base: Array) -> Trees:
        """Convert trees from the `arrays` of `StackedTrees`, with a value for each node.

        `value (trees, nodes, width)`. Padding nodes are left out.
        """
        feature, threshold, branches = (arrays[k].numpy() for k in ("feature", "threshold", "branches"))
        inner = branches[..., 0] > 0
        reached = np.zeros_like(inner)
        reached[:, 0] = True
        tree, node = inner.nonzero()
        reached[tree, branches[tree, node, 0]] = reached[tree, branches[tree, node, 1]] = True
        leaf = reached & ~inner
        number = np.where(inner, inner.cumsum().reshape(inner.shape) - 1, -leaf.cumsum().reshape(leaf.shape))
        below = branches[inner]
        return cls(
            feature[inner],
            floor32(threshold[inner]),
            np.stack([number[tree, below[:, side]] for side in range(2)], 1),
            number[:, 0],
            value.float().numpy()[leaf],
            first,
            base.astype(np.float32),
        )

    def leaves(self, x: Array) -> Array:
        """Return the leaves that rows `x (n, features)` end in, `(n, trees)`."""
        node = np.broadcast_to(self.roots, (len(x), len(self.roots))).copy()
        while (inner := node >= 0).any():
            row, at = inner.nonzero()[0], node[inner]
            right = x[row, self.feature[at]] > self.threshold[at]
            node[inner] = self.branches[at, right.astype(int)]
        return -1 - node


@dataclass(frozen=True)
class Computation:
    """The computation of a model: a network's layers, with ReLU between them, or trees.

    The outputs are logits, to which a `softmax` is applied, or else probabilities.
    """

    softmax: bool
    convolution: Convolution | None = None
    layers: Sequence[Dense] = ()
    trees: Trees | None = None

    def taking_bytes(self) -> Computation:
        """Return the same computation for inputs as bytes instead of numbers from 0 to 1.

        Trees take bytes unchanged.
        """
        if self.convolution:
            filters = (self.convolution.filters / 255.0).astype(np.float32)
            return replace(self, convolution=replace(self.convolution, filters=filters))
        if self.layers:
            first, *others = self.layers
            return replace(
                self, layers=[Dense((first.weight / 255.0).astype(np.float32), first.bias), *others]
            )
        return self

    @property
    def tree(self) -> Trees | None:
        """The trees, if this is a single tree with probabilities in its leaves; else None."""
        return self.trees if self.trees and len(self.trees.roots) == 1 and not self.softmax else None

    @property
    def affine(self) -> Dense | None:
        """The only layer, if this is a single linear layer; else None."""
        return self.layers[0] if len(self.layers) == 1 and not self.convolution else None


def as_array(parameter: Tensor) -> Array:
    """Return the parameter of the first member as float32."""
    array: Array = parameter[0].detach().float().numpy()
    return array


def floor32(values: Array) -> Array:
    """Return the largest finite 32-bit floats up to these values, which split 32-bit floats as they do."""
    largest = np.finfo(np.float32).max
    rounded = values.clip(-largest, largest).astype(np.float32)
    above = rounded.astype(np.float64) > values
    return np.where(above, np.nextafter(rounded, np.float32(-largest)), rounded)
