"""Decision trees as plain arrays, several of them as one module: a stack.

scikit-learn grows the trees. They are kept as arrays, which are stored as tensors like every other model,
name no code, and predict without scikit-learn.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kdcli.models.computation import Computation, Trees
from kdcli.models.family import Fitted, Lesson, Teaching, Workshop
from kdcli.models.growing import Arrays, Grown, grow_each
from kdcli.models.shrinkage import Shrink
from kdcli.models.tree_arrays import WAYS, end_nodes, leaves_of
from kdcli.models.tree_growth import SHRINK, Limits, growths
from kdcli.rng import state

DTYPES = WAYS | {"log_p": torch.float64}


class StackedTrees(Grown):
    """A tree for each member, with the node 0 as its root.

    feature    (members, nodes)             the feature that an inner node compares
    threshold  (members, nodes)             it goes left if the feature is at most this
    branches   (members, nodes, 2)          left and right, numbered above their parent; 0, 0 in a leaf
    log_p      (members, nodes, n_classes)  log-probabilities in the leaves, 0 elsewhere

    `chosen` has numbers of each member, `(members,)`, that do not follow from these arrays, such as the λ of
    shrinkage; restored trees have none.
    """

    feature: Tensor
    threshold: Tensor
    branches: Tensor
    log_p: Tensor

    def __init__(self, arrays: Mapping[str, Tensor], chosen: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        for name in DTYPES:
            self.register_buffer(name, arrays[name])
        self.members = len(self.feature)
        self.chosen = chosen or {}

    def forward(self, x: Tensor) -> Tensor:
        """Map `x (groups, batch, *features)` to log-probabilities `(members, n_classes, batch)`.

        The members are split evenly over the groups, in order, as in a stack of perceptrons. In log
        space, so that they are logits like those of a network; an excluded class has −∞.
        """
        member = torch.arange(self.members).unsqueeze(1)
        return self.log_p[member, leaves_of(self.arrays, x.flatten(2))].mT

    @property
    def arrays(self) -> Arrays:
        """The arrays above."""
        return self.state_dict()

    @property
    def computation(self) -> Computation:
        """The first tree."""
        return mean_of_trees({name: values[:1] for name, values in self.arrays.items()})

    @property
    def described(self) -> Mapping[str, Tensor]:
        """Leaves and depth of each member, and what was chosen."""
        return {"leaves": self.leaves, "depth": self.depth, **self.chosen}

    @property
    def leaves(self) -> Tensor:
        """Number of leaves of each member, `(members,)`: one more than it has inner nodes."""
        return (self.branches[:, :, 0] > 0).sum(1) + 1

    def numbers(self) -> tuple[float, float]:
        """Count a feature and a threshold of each inner node, and the probabilities of each leaf.

        Bytes are those of all nodes' arrays, without padding.
        """
        leaves = float(self.leaves.double().mean())
        nodes = 2 * leaves - 1
        each = sum(
            tensor[0, 0].numel() * tensor.element_size()
            for tensor in (self.feature, self.threshold, self.branches, self.log_p)
        )
        return 2 * (nodes - leaves) + leaves * self.log_p.shape[2], nodes * each

    @property
    def depth(self) -> Tensor:
        """The longest path from the root to a leaf, in splits, `(members,)`."""
        depth = torch.zeros(self.members, dtype=torch.int64)
        level = torch.zeros_like(self.feature, dtype=torch.bool)
        level[:, 0] = True
        while bool(level.any()):
            below = (self.branches * level.unsqueeze(2)).flatten(1)
            level = torch.zeros_like(level).scatter_(1, below, True)
            level[:, 0] = False  # not a child of any node, but leaves point to it
            depth += level.any(1)
        return depth


def mean_of_trees(arrays: Arrays) -> Computation:
    """Return the computation of the mean probabilities of trees, given arrays as in `StackedTrees`."""
    p = arrays["log_p"].exp() / len(arrays["log_p"])
    first, base = np.zeros(len(p), dtype=np.int64), np.zeros(p.shape[2])
    return Computation(softmax=False, trees=Trees.of(arrays, p, first, base))


def grow_sets(limits: Limits, shrink: Shrink, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
    """Grow the trees set by set."""
    return grow_each(teaching, workshop, 1, partial(grow, limits, shrink, teaching), stacked)


def stacked(trees: Sequence[Arrays]) -> StackedTrees:
    """Return trees as one stack, with arrays padded to the largest tree's."""
    arrays = {name: pad_sequence([tree[name] for tree in trees], True) for name in DTYPES}
    chosen = {SHRINK: torch.stack([tree[SHRINK] for tree in trees])} if SHRINK in trees[0] else {}
    return StackedTrees(arrays, chosen)


def grow(
    limits: Limits,
    shrink: Shrink,
    teaching: Teaching,
    lesson: Lesson,
    draw: int,
    done: Callable[[int], None],
) -> Iterator[Arrays]:
    """Grow the trees of a set in one draw, one for each seed.

    Students are replicates: a seed draws the rows of its tree, the same for all sets. A teacher has one seed
    and should be as good as possible: it is grown on all rows, and its seed decides between equal splits.
    """
    for seed, growth in growths(teaching, lesson, draw):
        if teaching.replicates:
            random = np.random.default_rng(state(f"{teaching.role}/rows", seed, draw))
            yield growth.grow_on_sample(limits, random, shrink)
        else:
            yield growth.grow(limits, state(f"{teaching.role}/ties", seed, draw), shrink=shrink)
        done(1)


def restore(arrays: Mapping[str, Tensor], n_features: int, n_classes: int, members: int) -> StackedTrees:
    """Build the trees that stored arrays describe.

    Raises ValueError unless they are `members` trees, as `end_nodes` checks them, and every leaf holds
    probabilities.
    """
    reached = end_nodes(arrays, {"log_p": (n_classes,)}, n_features, members)
    total = arrays["log_p"].exp().sum(2)
    if not bool(((total - 1).abs() < 1e-9)[reached].all()):
        raise ValueError("the probabilities in a leaf do not sum to 1")
    return StackedTrees(arrays)
