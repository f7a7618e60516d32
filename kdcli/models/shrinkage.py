"""Hierarchical shrinkage of a decision tree: a leaf's prediction is pulled towards the nodes above it.

With the nodes 0 … L on the path from the root to a leaf, with means μ and N training examples each,

    f = μ_0 + Σ (μ_i − μ_{i−1}) / (1 + λ / N_{i−1})    over i = 1 … L

Agarwal, Tan, Ronen, Singh and Yu, "Hierarchical shrinkage: improving the accuracy and interpretability of
tree-based methods" (2022). A tree's splits stay as they are.
"""

from typing import TypeAlias

import torch
from torch import Tensor

Shrink: TypeAlias = float | str
"""λ: 0 for no shrinkage, or "auto" for the value selected by validation."""

STRENGTHS = (0.0, 0.1, 1.0, 10.0, 50.0, 100.0, 500.0)
"""The candidate values of λ, as in the paper, and 0."""


def shrunk(means: Tensor, count: Tensor, branches: Tensor, strength: float) -> Tensor:
    """Return the shrunk means of all nodes of a tree, `(nodes, k)`.

    `means (nodes, k)` and `count (nodes,)` are those of the training examples in each node, `branches
    (nodes, 2)` its children in the form of `StackedTrees`, and `strength` is λ. The sum above is computed as
    a weighted mean of the nodes on the path, with the weights a_i − a_{i+1} for a_i = 1 / (1 + λ / N_{i−1}),
    a_0 = 1 and a_{L+1} = 0: no weight is negative, and with λ = 0 a leaf keeps its mean to the last bit.
    """
    above = torch.zeros_like(means)
    passed = torch.ones_like(count)
    for inner in _levels(branches):
        below = branches[inner]
        further = 1 / (1 + strength / count[inner])
        kept = (passed[inner] - further).unsqueeze(1)
        above[below] = (above[inner] + kept * means[inner]).unsqueeze(1)
        passed[below] = further.unsqueeze(1)
    return above + passed.unsqueeze(1) * means


def node_means(means: Tensor, count: Tensor, branches: Tensor) -> Tensor:
    """Return the means of all nodes, `(nodes, k)`, given the means of the leaves."""
    means = means.clone()
    for inner in reversed(_levels(branches)):
        share = count[branches[inner]] / count[inner].unsqueeze(1)
        means[inner] = (share.unsqueeze(2) * means[branches[inner]]).sum(1)
    return means


def _levels(branches: Tensor) -> list[Tensor]:
    """Return the inner nodes of a tree by depth, beginning with the root."""
    levels = []
    level = torch.zeros(1, dtype=torch.int64)
    while len(level := level[branches[level, 0] > 0]):
        levels.append(level)
        level = branches[level].flatten()
    return levels
