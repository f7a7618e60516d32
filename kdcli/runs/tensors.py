"""Checks of the shapes and types of stored tensors, before they are used.

A digest proves that a file matches its `meta.json`, not that a stage of kd wrote either: a run may come from
a stranger. Every function here raises ValueError for content that no stage would have written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kdcli.data import SPLITS, Description, Pool

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ACCURACIES = ("train_accuracy", "val_accuracy")  # of learning curves


def pool_of(tensors: Mapping[str, Tensor], description: Description) -> Pool:
    """Return data of this description: `x`, `y`, each split's index, and maybe `posterior` and `group`."""
    import torch

    known = ("posterior",) if description.bayes else ()
    _check_names(tensors, ("x", "y", *known, *({"group"} & set(tensors)), *SPLITS))
    splits = {split: tensors[split] for split in SPLITS}
    pool = Pool(tensors["x"], tensors["y"], tensors.get("posterior"), splits, tensors.get("group"))
    _check_examples(pool, description)
    for split, index in pool.index.items():
        draws = description.test_draws if split == "test" else description.draws
        _check_shape(split, index, (draws, description.sizes[split]), ("int64",))
        if int(index.min()) < 0 or int(index.max()) >= pool.y.numel():
            raise ValueError(f"{split} names examples that do not exist")
    for draw in range(pool.draws):
        taken = torch.cat([pool.rows(split, draw) for split in SPLITS]).bincount()
        if int(taken.max()) > 1:
            raise ValueError(f"an example is in draw {draw} twice")
    return pool


def _check_examples(pool: Pool, description: Description) -> None:
    n, n_classes = pool.y.numel(), description.n_classes
    _check_shape("x", pool.x, (n, *description.shape), ("float32", "uint8"))
    _check_shape("y", pool.y, (n,), ("int64",))
    if pool.group is not None:
        _check_shape("group", pool.group, (n,), ("int64",))
    if n == 0 or int(pool.y.min()) < 0 or int(pool.y.max()) >= n_classes:
        raise ValueError(f"y has labels outside 0 to {n_classes - 1}")
    if pool.x.is_floating_point() and not bool(pool.x.isfinite().all()):
        raise ValueError("x has values that are not finite")
    if pool.posterior is not None:
        _check_shape("posterior", pool.posterior, (n, n_classes), ("float64",))
        sums = pool.posterior.sum(1) - 1
        if not bool((pool.posterior >= 0).all()) or not bool((sums.abs() < 1e-6).all()):
            raise ValueError("posterior has rows that are not probabilities")


def check_logits(tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> None:
    """Check logits of these shapes; logits of excluded classes may be −∞."""
    _check_names(tensors, shapes)
    for name, shape in shapes.items():
        _check_shape(name, tensors[name], shape, ("float32", "float64"))
        if not bool((tensors[name].amax(-1).isfinite()).all()):
            raise ValueError(f"{name} has rows that are not logits")


def check_transfer(
    tensors: Mapping[str, Tensor], features: Sequence[int], kind: torch.dtype, draws: int, n_classes: int
) -> None:
    """Check examples `x (rows, *features)`, each draw's indices `index (draws, n)`, and their `logits`."""
    _check_names(tensors, ("x", "index", "logits"))
    x, index = tensors["x"], tensors["index"]
    n = index.shape[-1] if index.ndim else 0
    _check_shape("x", x, (len(x), *features) if x.ndim else features, (str(kind).removeprefix("torch."),))
    _check_shape("index", index, (draws, n), ("int64",))
    if n == 0 or int(index.min()) < 0 or int(index.max()) >= len(x):
        raise ValueError("index names examples that do not exist")
    if x.is_floating_point() and not bool(x.isfinite().all()):
        raise ValueError("x has values that are not finite")
    check_logits({"logits": tensors["logits"]}, {"logits": (draws, n, n_classes)})


def check_history(tensors: Mapping[str, Tensor], members: Sequence[int]) -> None:
    """Check the learning curves of members `(draws, ...)`: losses, and accuracies unless they are older."""
    accuracies = [name for name in ACCURACIES if name in tensors]
    _check_names(tensors, ("epochs", "train", "val", *(ACCURACIES if accuracies else ())))
    points = tensors["epochs"].numel()
    _check_shape("epochs", tensors["epochs"], (points,), ("int64",))
    if points == 0:
        raise ValueError("its curves have no points")
    for name in ("train", "val"):
        _check_shape(name, tensors[name], (*members, points), ("float64",))
        if not bool(tensors[name].isfinite().all()):
            raise ValueError(f"{name} has losses that are not finite")
    for name in accuracies:
        _check_shape(name, tensors[name], (*members, points), ("float64",))
        if not bool(((tensors[name] >= 0) & (tensors[name] <= 1)).all()):
            raise ValueError(f"{name} has accuracies that are not between 0 and 1")


def _check_names(tensors: Mapping[str, Tensor], names: Iterable[str]) -> None:
    if set(tensors) != set(names):
        raise ValueError(f"its tensors are {', '.join(sorted(tensors)):.200}, not {', '.join(sorted(names))}")


def _check_shape(name: str, tensor: Tensor, shape: Sequence[int], types: Sequence[str]) -> None:
    kind = str(tensor.dtype).removeprefix("torch.")
    if tuple(tensor.shape) != tuple(shape) or kind not in types:
        raise ValueError(f"{name} is {kind} {tuple(tensor.shape)}, not {' or '.join(types)} {tuple(shape)}")
