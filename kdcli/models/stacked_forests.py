"""Random forests as plain arrays, several of them as one module: a stack.

A forest's probabilities are the means of its trees' probabilities. Breiman, "Random forests" (2001).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from kdcli.models import stacked_trees
from kdcli.models.computation import Computation
from kdcli.models.family import Fitted, Lesson, Teaching, Workshop
from kdcli.models.growing import Arrays, Grown, grow_each
from kdcli.models.stacked_trees import StackedTrees, mean_of_trees
from kdcli.models.tree_growth import Limits, growths
from kdcli.rng import state

AT_ONCE = 2048  # examples times members processed at a time, each in every tree
COLUMNS = "sqrt"  # a split chooses among the square root of the number of columns


class StackedForests(Grown):
    """A forest for each member: the arrays of `StackedTrees`, each with axes `(members, trees, ...)`."""

    def __init__(self, arrays: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.members, self.trees = arrays["feature"].shape[:2]
        self.piece = max(1, AT_ONCE // self.members)
        self.grown = StackedTrees({name: tensor.flatten(0, 1) for name, tensor in arrays.items()})

    def forward(self, x: Tensor) -> Tensor:
        """Map `x (groups, batch, *features)` to log-probabilities `(members, n_classes, batch)`."""
        log_p = _split(self.grown(x), self.trees)
        mean: Tensor = log_p.logsumexp(1).log_softmax(1)
        return mean

    def parameters_of(self, members: Sequence[int]) -> dict[str, Tensor]:
        """Return the arrays of some members, in the form that `restore` takes."""
        return {name: tensor[list(members)] for name, tensor in self.arrays.items()}

    @property
    def arrays(self) -> Arrays:
        """The arrays of all trees, each `(members, trees, ...)`."""
        return {name: _split(tensor, self.trees) for name, tensor in self.grown.arrays.items()}

    @property
    def computation(self) -> Computation:
        """The trees of the first forest."""
        return mean_of_trees({name: tensor[0] for name, tensor in self.arrays.items()})

    @property
    def described(self) -> Mapping[str, Tensor]:
        """Leaves of each member."""
        return {"leaves": self.leaves}

    @property
    def leaves(self) -> Tensor:
        """Number of leaves of each member, in all of its trees, `(members,)`."""
        return self.grown.leaves.view(self.members, self.trees).sum(1)

    def numbers(self) -> tuple[float, float]:
        """Return the size of a member in numbers and in bytes: those of its trees."""
        count, size = self.grown.numbers()
        return self.trees * count, self.trees * size


def grow_sets(trees: int, limits: Limits, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
    """Grow the forests set by set, each with this number of trees within these limits."""

    def stacked(grown: Sequence[Arrays]) -> StackedForests:
        arrays = stacked_trees.stacked(grown).arrays
        return StackedForests({name: _split(tensor, trees) for name, tensor in arrays.items()})

    return grow_each(teaching, workshop, trees, partial(grow, trees, limits, teaching), stacked)


def _split(tensor: Tensor, size: int) -> Tensor:
    """Split the first axis into two, of which the second has this size."""
    return tensor.view(-1, size, *tensor.shape[1:])


def grow(
    trees: int, limits: Limits, teaching: Teaching, lesson: Lesson, draw: int, done: Callable[[int], None]
) -> Iterator[Arrays]:
    """Grow the trees of a set in one draw, those of the first seed first.

    A tree is grown like a single tree, on a bootstrap sample of the rows; each of its splits chooses among a
    random subset of the columns.
    """
    limits = {**limits, "max_features": COLUMNS}
    for seed, growth in growths(teaching, lesson, draw):
        random = np.random.default_rng(state(f"{teaching.role}/forest", seed, draw))
        for _ in range(trees):
            yield growth.grow_on_sample(limits, random)
            done(1)


def restore(
    arrays: Mapping[str, Tensor], n_features: int, n_classes: int, shape: tuple[int, int]
) -> StackedForests:
    """Build the forests that stored arrays describe, `shape` being `(members, trees)`.

    Raises ValueError unless `stacked_trees.restore` accepts their trees.
    """
    odd = [name for name, tensor in arrays.items() if tuple(tensor.shape[:2]) != shape]
    if odd:
        raise ValueError(f"{odd[0]} does not fit {shape[0]} forests of {shape[1]} trees")
    flat = {name: tensor.flatten(0, 1) for name, tensor in arrays.items()}
    stacked_trees.restore(flat, n_features, n_classes, shape[0] * shape[1])
    return StackedForests(arrays)
