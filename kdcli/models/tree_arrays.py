"""Several trees as arrays: the path of an example to a leaf, and checks of stored arrays."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

WAYS = {"feature": torch.int64, "threshold": torch.float64, "branches": torch.int64}
"""The arrays that lead from root to leaf, `(trees, nodes)`, and branches with an axis of 2."""


def leaves_of(arrays: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return the leaf of each tree that the examples `x (groups, batch, features)` reach, `(trees, batch)`.

    The trees are split evenly over the groups, in order. Examples that have reached a leaf are skipped.
    """
    (trees, nodes), (groups, n, features) = arrays["feature"].shape, x.shape
    places = max(x.numel(), 2 * trees * nodes, trees * n)
    kind = torch.int32 if places < 2**31 else torch.int64  # smaller indices are gathered faster
    feature, branches = (arrays[name].flatten().to(kind) for name in ("feature", "branches"))
    threshold, x = arrays["threshold"].flatten(), x.flatten()
    tree = torch.arange(trees, dtype=kind).unsqueeze(1)
    root = (tree * nodes).expand(trees, n).flatten()
    example = (tree // (trees // groups) * n + torch.arange(n, dtype=kind)).mul_(features).flatten()
    leaf = torch.zeros(trees * n, dtype=torch.int64)
    way, node = torch.arange(trees * n), root
    while True:
        right = x.index_select(0, example + feature.index_select(0, node)) > threshold.index_select(0, node)
        below = branches.index_select(0, (node + node).add_(right))
        on = below.nonzero().squeeze(1)
        if len(on) == 0:
            return leaf.view(trees, n)
        way, example, root, below = (each.index_select(0, on) for each in (way, example, root, below))
        leaf.index_copy_(0, way, below.long())
        node = root + below


def end_nodes(
    arrays: Mapping[str, Tensor], told: Mapping[str, Sequence[int]], n_features: int, trees: int
) -> Tensor:
    """Return a mask of the leaves that can be reached from the root, `(trees, nodes)`.

    In addition to the structure, `told` names the arrays of values of nodes, with the shape of each. Raises
    ValueError unless these are the arrays of this number of trees, every path ends in a leaf, and every node
    tests an existing feature, so that no array can make `leaves_of` run forever or read out of bounds.
    """
    dtypes = WAYS | dict.fromkeys(told, torch.float64)
    if set(arrays) != set(dtypes) or any(arrays[name].dtype != dtype for name, dtype in dtypes.items()):
        raise ValueError("these are not the arrays of decision trees")
    feature, threshold, branches = (arrays[name] for name in WAYS)
    nodes = feature.shape[-1] if feature.ndim == 2 else 0
    tails = {"feature": (), "threshold": (), "branches": (2,), **told}
    for name, tail in tails.items():
        if nodes == 0 or arrays[name].shape != (trees, nodes, *tail):
            raise ValueError(f"{name} has the shape {tuple(arrays[name].shape)}")
    leaf = (branches == 0).all(2)
    below = (branches > torch.arange(nodes).view(1, -1, 1)).all(2) & (branches < nodes).all(2)
    if not bool((leaf | below).all()):
        raise ValueError("a child is not numbered above its parent, or does not exist")
    if not bool(((feature >= 0) & (feature < n_features)).all()):
        raise ValueError(f"a node compares a feature outside 0 to {n_features - 1}")
    if not bool(threshold.isfinite().all()):
        raise ValueError("a threshold is not a finite number")
    ways = torch.zeros_like(feature).scatter_add_(
        1, branches.flatten(1), torch.ones_like(branches).flatten(1)
    )
    if bool((ways[:, 1:] > 1).any()):
        raise ValueError("two branches lead to one node")
    reached = ways > 0
    reached[:, 0] = True  # the root is reached, and leaves point to it
    return leaf & reached
