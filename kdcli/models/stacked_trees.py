"""Decision trees as plain arrays, several of them as one module: a stack.

scikit-learn grows them; what it grew is kept as arrays, which are stored as tensors like every
other model, name no code, and predict without scikit-learn.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kdcli.models.family import Fitted, Lesson, Teaching, Workshop
from kdcli.models.growing import Arrays, Grown, grow_each
from kdcli.models.tree_arrays import WAYS, end_nodes, leaves_of
from kdcli.rng import state

DTYPES = WAYS | {"log_p": torch.float64}


Limits: TypeAlias = Mapping[str, Any]
"""The limits of a tree's growth, as scikit-learn names them; None is no limit."""


class StackedTrees(Grown):
    """A tree for each member, with the node 0 as its root.

    feature    (members, nodes)             the feature that an inner node looks at
    threshold  (members, nodes)             it goes left where the feature is at most this
    branches   (members, nodes, 2)          left and right, numbered above their parent; 0, 0 in a leaf
    log_p      (members, nodes, n_classes)  log-probabilities in the leaves, 0 elsewhere
    """

    feature: Tensor
    threshold: Tensor
    branches: Tensor
    log_p: Tensor

    def __init__(self, arrays: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name in DTYPES:
            self.register_buffer(name, arrays[name])
        self.members = len(self.feature)

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
    def described(self) -> Mapping[str, Tensor]:
        """Leaves and depth of each member."""
        return {"leaves": self.leaves, "depth": self.depth}

    @property
    def leaves(self) -> Tensor:
        """Number of leaves of each member, `(members,)`: one more than it has inner nodes."""
        return (self.branches[:, :, 0] > 0).sum(1) + 1

    def numbers(self) -> tuple[float, float]:
        """Count a feature and a threshold of each inner node, and the probabilities of each leaf.

        Bytes are those of every node's arrays, without what fills them up to the largest member's.
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
        """Longest way from the root to a leaf, in splits, `(members,)`."""
        depth = torch.zeros(self.members, dtype=torch.int64)
        level = torch.zeros_like(self.feature, dtype=torch.bool)
        level[:, 0] = True
        while bool(level.any()):
            below = (self.branches * level.unsqueeze(2)).flatten(1)
            level = torch.zeros_like(level).scatter_(1, below, True)
            level[:, 0] = False  # nobody's child, but where a leaf's children point
            depth += level.any(1)
        return depth


def grow_sets(limits: Limits, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
    """Grow the trees of one set after the other."""
    return grow_each(teaching, workshop, 1, partial(grow, limits, teaching), stacked)


def stacked(trees: Sequence[Arrays]) -> StackedTrees:
    """Return trees as one stack, whose arrays are filled up to the largest tree's."""
    return StackedTrees({name: pad_sequence([arrays[name] for arrays in trees], True) for name in DTYPES})


def grow(
    limits: Limits, teaching: Teaching, lesson: Lesson, draw: int, done: Callable[[int], None]
) -> Iterator[Arrays]:
    """Grow the trees of a set in one draw, one for each seed, which decides between equally good splits."""
    taught = Taught.of(teaching, lesson, draw)
    for seed in teaching.seeds:
        yield taught.grow(limits, state(f"{teaching.role}/ties", seed, draw))
        done(1)


@dataclass(frozen=True)
class Taught:
    """What trees of a set are taught in one draw, at `points (n, features)`.

    It is the matrix (1 − w) · target + w · labels, all `(n, n_classes)`, with the w of the `lesson`. Where it
    is one-hot it is learned by a classification tree (Gini impurity), else by a regression tree with an
    output for each class (squared error). Examples count by their `weights (n,)`, where there are any.
    """

    points: Any
    target: Tensor
    labels: Tensor
    lesson: Lesson
    weights: Tensor | None = None

    @classmethod
    def of(cls, teaching: Teaching, lesson: Lesson, draw: int) -> "Taught":
        """Return what the trees of a set are taught in one draw."""
        return cls(
            teaching.x[teaching.index["train"][draw]].flatten(1).float().numpy(),
            lesson.targets["train"][draw],
            teaching.labels["train"][draw],
            lesson,
            teaching.weights["train"][draw] if teaching.weights else None,
        )

    @cached_property
    def matrix(self) -> Any:
        """The class probabilities that are taught, `(n, n_classes)`."""
        weight = self.lesson.label_weight
        return ((1 - weight) * self.target + weight * self.labels).numpy()

    @cached_property
    def one_hot(self) -> bool:
        """Whether each example is taught one class."""
        import numpy as np

        return bool(np.isin(self.matrix, (0.0, 1.0)).all())

    def grow(self, limits: Limits, random_state: int, counts: Tensor | None = None) -> Arrays:
        """Grow a tree, with each example as often as `counts (n,)` say."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        if limits["max_leaf_nodes"] is not None:
            # scikit-learn takes memory for as many leaves as it may make; there are no more than examples.
            most = max(2, len(self.points))
            limits = {**limits, "max_leaf_nodes": min(limits["max_leaf_nodes"], most)}
        kind = DecisionTreeClassifier if self.one_hot else DecisionTreeRegressor
        outputs = self.matrix.argmax(1) if self.one_hot else self.matrix
        weights = self.weights if counts is None else counts * (1 if self.weights is None else self.weights)
        estimator = kind(**limits, random_state=random_state)
        grown = estimator.fit(self.points, outputs, None if weights is None else weights.numpy()).tree_
        leaves, leaf_of = torch.unique(torch.from_numpy(grown.apply(self.points)), return_inverse=True)
        means = [_means(rows, leaf_of, weights) for rows in (self.target, self.labels)]
        return _arrays(
            grown,
            leaves,
            *means,
            temperature=self.lesson.temperature,
            label_weight=self.lesson.label_weight,
        )


def _arrays(
    grown: Any, leaves: Tensor, target: Tensor, labels: Tensor, *, temperature: float, label_weight: float
) -> Arrays:
    """Return a tree that scikit-learn grew as arrays.

    In its `leaves`, nodes `(k,)`, are the means of `target` and `labels`, `(k, n_classes)`.

    A leaf predicts the mean target of its training examples. If the target was softened at
    temperature T, so is that mean q, and it is brought back to T = 1 as a network's output is,
    p ∝ q^T; then the mean of the leaf's labels is mixed in with weight w. A class that no target in
    the leaf allows has probability 0.
    """
    log_p = torch.zeros(grown.node_count, labels.shape[1], dtype=torch.float64)
    log_p[leaves] = (temperature * target.log()).log_softmax(1)
    if label_weight:
        shares = torch.tensor([1 - label_weight, label_weight], dtype=torch.float64).log()
        log_p[leaves] = torch.logaddexp(log_p[leaves] + shares[0], labels.log() + shares[1])
    branches = torch.stack([torch.from_numpy(grown.children_left), torch.from_numpy(grown.children_right)], 1)
    return {
        "feature": torch.from_numpy(grown.feature.clip(min=0)).long(),
        "threshold": torch.from_numpy(grown.threshold),
        "branches": branches.clip(min=0).long(),
        "log_p": log_p,
    }


def _means(rows: Tensor, group: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean of the `rows (n, k)` of each group, `(groups, k)`; rows count by `weights (n,)`."""
    count = group.bincount(weights)
    weighted = rows if weights is None else rows * weights.unsqueeze(1)
    return rows.new_zeros(len(count), rows.shape[1]).index_add_(0, group, weighted) / count.unsqueeze(1)


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
