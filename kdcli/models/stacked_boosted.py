"""Boosted trees as plain arrays, several models as one module: a stack.

XGBoost grows the trees (`boosting`). They are kept in the same arrays as trees and forests, which predict
without XGBoost and are checked before they are used.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kdcli.models.computation import Computation, Trees
from kdcli.models.growing import Arrays, Grown
from kdcli.models.tree_arrays import WAYS, end_nodes, leaves_of

AT_ONCE = 2**19  # trees times examples processed at a time
LARGEST = 3.5e38  # largest magnitude of a float32 value; sums in float64 stay finite
ARRAYS = (*WAYS, "value", "base")


def margins_of(n_classes: int) -> int:
    """Return the number of margins that a round adds to: the log-odds of two classes, or one per class."""
    return 1 if n_classes == 2 else n_classes


def as_logits(margins: Tensor) -> Tensor:
    """Return the logits `(..., n_classes)` of margins; for two classes they are 0 and the log-odds."""
    return torch.cat([torch.zeros_like(margins), margins], -1) if margins.shape[-1] == 1 else margins


class StackedBoosted(Grown):
    """The trees of each member, round by round, in each round one for every margin.

    feature, threshold, branches  (members, trees, nodes[, 2])  as in `StackedTrees`
    value                         (members, trees, nodes)       what a leaf adds to its tree's margin
    base                          (members, margins)            the initial margins

    Members with fewer trees are padded with trees of one leaf that adds 0.
    """

    feature: Tensor
    threshold: Tensor
    branches: Tensor
    value: Tensor
    base: Tensor

    def __init__(self, arrays: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name in ARRAYS:
            self.register_buffer(name, arrays[name])
        self.members, self.trees = self.feature.shape[:2]
        self.piece = max(1, AT_ONCE // (self.members * self.trees))

    def forward(self, x: Tensor) -> Tensor:
        """Map `x (groups, batch, *features)` to logits `(members, n_classes, batch)`."""
        flat = {name: self.arrays[name].flatten(0, 1) for name in (*WAYS, "value")}
        leaf = leaves_of(flat, x.flatten(2))
        added = flat["value"].gather(1, leaf).view(self.members, -1, self.base.shape[1], x.shape[1])
        margins = added.sum(1) + self.base.unsqueeze(2)
        return as_logits(margins.mT).mT

    @property
    def arrays(self) -> Arrays:
        """The arrays above."""
        return self.state_dict()

    @property
    def computation(self) -> Computation:
        """The first member's trees, without padding, and its initial logits."""
        margins, of_first = self.base.shape[1], {name: self.arrays[name][0] for name in (*WAYS, "value")}
        there = (of_first["branches"][:, 0, 0] > 0) | (of_first["value"][:, 0] != 0)
        first = (torch.arange(self.trees) % margins + (margins == 1))[there]
        arrays = {name: values[there] for name, values in of_first.items()}
        base = as_logits(self.base[0]).numpy()
        return Computation(
            softmax=True, trees=Trees.of(arrays, arrays["value"].unsqueeze(2), first.numpy(), base)
        )

    @property
    def _splits(self) -> Tensor:
        """Number of inner nodes of each tree, `(members, trees)`."""
        return (self.branches[..., 0] > 0).sum(2)

    @property
    def described(self) -> Mapping[str, Tensor]:
        """Rounds and leaves of each member, without padding trees."""
        there = (self._splits > 0) | (self.value[..., 0] != 0)
        rounds = there.view(self.members, -1, self.base.shape[1]).any(2).sum(1)
        return {"rounds": rounds, "leaves": (self._splits + there).sum(1)}

    def numbers(self) -> tuple[float, float]:
        """Count a feature and a threshold for each inner node, and a value for each leaf."""
        inner = float(self._splits.double().sum(1).mean())
        leaves = float(self.described["leaves"].double().mean())
        each = sum(tensor[0, 0, 0].numel() * tensor.element_size() for tensor in self._by_node)
        return 2 * inner + leaves + self.base.shape[1], (inner + leaves) * each + 8 * self.base.shape[1]

    @property
    def _by_node(self) -> Sequence[Tensor]:
        return [self.arrays[name] for name in (*WAYS, "value")]


def restore(arrays: Mapping[str, Tensor], n_features: int, n_classes: int, members: int) -> StackedBoosted:
    """Build the boosted trees that stored arrays describe.

    Raises ValueError unless they are those of `members` models, with trees as `end_nodes` checks them and
    values that are finite numbers.
    """
    margins = margins_of(n_classes)
    if set(arrays) != set(ARRAYS) or any(arrays[name].shape[:1] != (members,) for name in ARRAYS):
        raise ValueError(f"these are not the arrays of {members} boosted models")
    base, trees = arrays["base"], arrays["feature"].shape[1] if arrays["feature"].ndim == 3 else 0
    right = tuple(base.shape) == (members, margins) and base.dtype == torch.float64
    if not right or trees == 0 or trees % margins:
        raise ValueError(f"their trees are not those of {n_classes} classes")
    if any(arrays[name].shape[1:2] != (trees,) for name in (*WAYS, "value")):
        raise ValueError("not all arrays are those of the same trees")
    flat = {name: arrays[name].flatten(0, 1) for name in (*WAYS, "value")}
    end_nodes(flat, {"value": ()}, n_features, members * trees)
    if not bool((flat["value"].abs() <= LARGEST).all() and (base.abs() <= LARGEST).all()):
        raise ValueError("a leaf adds a non-finite number, or one outside the range of XGBoost")
    return StackedBoosted(arrays)
