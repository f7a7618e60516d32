"""Grows decision trees on class probabilities with scikit-learn, and converts them to arrays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from kdcli.models.family import Lesson, Teaching
from kdcli.models.growing import Arrays
from kdcli.models.shrinkage import STRENGTHS, Shrink, node_means, shrunk
from kdcli.models.taught import Taught

SHRINK = "shrink"  # the name of a shrunk tree's λ

Limits: TypeAlias = Mapping[str, Any]
"""The limits of a tree's growth, by scikit-learn's names; None is no limit."""


@dataclass(frozen=True)
class Growth:
    """The growth of the trees of a lesson's set in one draw, for the seed with index `place`.

    They learn the matrix (1 − w) · target + w · labels, all `(n, n_classes)`, with the w of the lesson. If it
    is one-hot, it is learned by a classification tree (Gini impurity), else by a regression tree with an
    output for each class (squared error). Examples have weights, if there are any.
    """

    teaching: Teaching
    lesson: Lesson
    draw: int
    place: int = 0

    @cached_property
    def train(self) -> Taught:
        """The targets on the training split."""
        return Taught.of(self.teaching, self.lesson, self.draw, "train", self.place)

    @cached_property
    def val(self) -> Taught:
        """The targets on the validation split."""
        return Taught.of(self.teaching, self.lesson, self.draw, "val", self.place)

    @cached_property
    def matrix(self) -> Any:
        """The class probabilities that are taught, `(n, n_classes)`."""
        weight = self.lesson.label_weight
        return ((1 - weight) * self.train.target + weight * self.train.labels).numpy()

    @cached_property
    def one_hot(self) -> bool:
        """Whether each example's target is a single class."""
        return bool(np.isin(self.matrix, (0.0, 1.0)).all())

    def grow_on_sample(self, limits: Limits, random: np.random.Generator, shrink: Shrink = 0.0) -> Arrays:
        """Grow a tree on a bootstrap sample: as many rows as there are, drawn with replacement.

        The same generator then gives the random state of scikit-learn.
        """
        n = len(self.train.points)
        counts = torch.from_numpy(random.integers(n, size=n)).bincount(minlength=n).double()
        return self.grow(limits, int(random.integers(2**31)), counts, shrink)

    def grow(
        self, limits: Limits, random_state: int, counts: Tensor | None = None, shrink: Shrink = 0.0
    ) -> Arrays:
        """Grow a tree, with examples repeated by `counts (n,)`; `shrink` shrinks its leaves.

        scikit-learn ignores examples with a count of 0, so every leaf has an example that counts; a class
        without examples keeps its column. A shrunk tree has its λ in addition to the arrays.
        """
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        if limits["max_leaf_nodes"] is not None:
            # scikit-learn allocates memory for the limit; there cannot be more leaves than examples.
            most = max(2, len(self.train.points))
            limits = {**limits, "max_leaf_nodes": min(limits["max_leaf_nodes"], most)}
        kind = DecisionTreeClassifier if self.one_hot else DecisionTreeRegressor
        outputs = self.matrix.argmax(1) if self.one_hot else self.matrix
        weights = self.train.weights
        if counts is not None:
            weights = counts if weights is None else counts * weights
        estimator = kind(**limits, random_state=random_state)
        grown = estimator.fit(self.train.points, outputs, None if weights is None else weights.numpy()).tree_
        leaves, leaf_of = torch.unique(torch.from_numpy(grown.apply(self.train.points)), return_inverse=True)
        rows = (self.train.target, self.train.labels)
        target, labels = (_means(of_examples, leaf_of, weights) for of_examples in rows)
        if shrink:
            return self._shrunk(grown, leaves, (target, labels), shrink)
        return _arrays(grown, leaves, self.log_p(target, labels))

    def log_p(self, target: Tensor, labels: Tensor) -> Tensor:
        """Return the log-probabilities of leaves with these means of targets and labels, `(k, n_classes)`.

        A leaf predicts the mean target of its training examples. If the target was softened at
        temperature T, so is the mean q, and it is brought back to T = 1 like a network's output,
        p ∝ q^T; then the mean of the leaf's labels is mixed in with weight w. A class that has no
        probability in any target of the leaf has probability 0.
        """
        log_p = (self.lesson.temperature * target.log()).log_softmax(1)
        if weight := self.lesson.label_weight:
            shares = torch.tensor([1 - weight, weight], dtype=torch.float64).log()
            log_p = torch.logaddexp(log_p + shares[0], labels.log() + shares[1])
        return log_p

    def _shrunk(self, grown: Any, leaves: Tensor, means: tuple[Tensor, Tensor], shrink: Shrink) -> Arrays:
        """Return a tree whose leaves' `means` of targets and labels are shrunk, by the best λ for "auto".

        The best λ has the lowest loss on the validation split; of several, it is the smallest.
        """
        branches, count = _branches(grown), torch.from_numpy(grown.weighted_n_node_samples)
        of_nodes = [
            node_means(_at(leaves, of_leaves, grown.node_count), count, branches) for of_leaves in means
        ]

        def log_p(strength: float) -> Tensor:
            return self.log_p(*(shrunk(rows, count, branches, strength) for rows in of_nodes))

        if isinstance(shrink, str):
            ends = torch.from_numpy(grown.apply(self.val.points))
            shrink = min(STRENGTHS, key=lambda strength: self._validation_loss(log_p(strength)[ends]))
        chosen = {SHRINK: torch.tensor(shrink, dtype=torch.float64)}
        return {**_arrays(grown, leaves, log_p(shrink)[leaves]), **chosen}

    def _validation_loss(self, log_p: Tensor) -> tuple[int, float]:
        """Return the number of validation examples with an infinite loss, and the mean loss of the others.

        The loss is that of networks (see `kdcli.losses`), for `log_p (n, n_classes)`. An example of a class
        without probability in training has an infinite loss for any λ, and must not decide.
        """
        losses = self.val.losses(log_p)
        finite = losses.isfinite()
        return int((~finite).sum()), float(losses[finite].sum() / max(1, int(finite.sum())))


def growths(teaching: Teaching, lesson: Lesson, draw: int) -> Iterator[tuple[int, Growth]]:
    """Yield each seed with the growth of its trees, shared by all seeds if their targets are the same."""
    growth = Growth(teaching, lesson, draw)
    for place, seed in enumerate(teaching.seeds):
        yield seed, replace(growth, place=place) if lesson.by_seed else growth


def _arrays(grown: Any, leaves: Tensor, log_p: Tensor) -> Arrays:
    """Return a tree of scikit-learn as arrays, with the predictions of its `leaves`, nodes `(k,)`."""
    return {
        "feature": torch.from_numpy(grown.feature.clip(min=0)).long(),
        "threshold": torch.from_numpy(grown.threshold),
        "branches": _branches(grown),
        "log_p": _at(leaves, log_p, grown.node_count),
    }


def _branches(grown: Any) -> Tensor:
    """Return the children of each node, `(nodes, 2)`, with 0, 0 in a leaf."""
    children = [torch.from_numpy(grown.children_left), torch.from_numpy(grown.children_right)]
    return torch.stack(children, 1).clip(min=0).long()


def _at(leaves: Tensor, rows: Tensor, nodes: int) -> Tensor:
    """Scatter `rows (k, n_classes)` to the nodes of the `leaves (k,)`, `(nodes, n_classes)`; 0 elsewhere."""
    return rows.new_zeros(nodes, rows.shape[1]).index_copy_(0, leaves, rows)


def _means(rows: Tensor, group: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean of the `rows (n, k)` of each group, `(groups, k)`, weighted by `weights (n,)`."""
    count = group.bincount(weights)
    weighted = rows if weights is None else rows * weights.unsqueeze(1)
    return rows.new_zeros(len(count), rows.shape[1]).index_add_(0, group, weighted) / count.unsqueeze(1)
