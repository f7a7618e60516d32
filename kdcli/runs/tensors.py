"""The shapes and types that stored tensors must have, checked before anything is made of them.

A digest tells that a file is what its `meta.json` says, not that a stage of kd wrote either: a run may come
from a stranger. Every function here raises ValueError saying what no stage would have written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kdcli.data import SPLITS, Description, Split

if TYPE_CHECKING:
    from torch import Tensor


def splits_of(tensors: Mapping[str, Tensor], description: Description) -> dict[str, Split]:
    """Return the splits of data of this description: `x`, `y` and, where it is known, `posterior` of each."""
    parts = ("x", "y", "posterior") if description.bayes else ("x", "y")
    _check_names(tensors, [f"{split}.{part}" for split in SPLITS for part in parts])
    splits = {}
    for name in SPLITS:
        split = Split(tensors[f"{name}.x"], tensors[f"{name}.y"], tensors.get(f"{name}.posterior"))
        _check_split(name, split, description)
        splits[name] = split
    return splits


def _check_split(name: str, split: Split, description: Description) -> None:
    n, n_classes = description.sizes[name], description.n_classes
    _check_shape(f"{name}.x", split.x, (n, *description.shape), ("float32", "uint8"))
    _check_shape(f"{name}.y", split.y, (n,), ("int64",))
    if int(split.y.min()) < 0 or int(split.y.max()) >= n_classes:
        raise ValueError(f"{name}.y has labels outside 0 to {n_classes - 1}")
    if split.x.is_floating_point() and not bool(split.x.isfinite().all()):
        raise ValueError(f"{name}.x has values that are not finite")
    if split.posterior is not None:
        _check_shape(f"{name}.posterior", split.posterior, (n, n_classes), ("float64",))
        sums = split.posterior.sum(1) - 1
        if not bool((split.posterior >= 0).all()) or not bool((sums.abs() < 1e-6).all()):
            raise ValueError(f"{name}.posterior has rows that are no probabilities")


def check_logits(tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> None:
    """Check logits of these shapes: numbers, of which those of excluded classes may be −∞."""
    _check_names(tensors, shapes)
    for name, shape in shapes.items():
        _check_shape(name, tensors[name], shape, ("float32", "float64"))
        if not bool((tensors[name].amax(-1).isfinite()).all()):
            raise ValueError(f"{name} has rows that are no logits")


def check_history(tensors: Mapping[str, Tensor], members: int) -> None:
    """Check the learning curves of so many members."""
    _check_names(tensors, ("epochs", "train", "val"))
    points = tensors["epochs"].numel()
    _check_shape("epochs", tensors["epochs"], (points,), ("int64",))
    if points == 0:
        raise ValueError("its curves have no points")
    for name in ("train", "val"):
        _check_shape(name, tensors[name], (members, points), ("float64",))
        if not bool(tensors[name].isfinite().all()):
            raise ValueError(f"{name} has losses that are not finite")


def _check_names(tensors: Mapping[str, Tensor], names: Iterable[str]) -> None:
    if set(tensors) != set(names):
        raise ValueError(f"its tensors are {', '.join(sorted(tensors)):.200}, not {', '.join(sorted(names))}")


def _check_shape(name: str, tensor: Tensor, shape: Sequence[int], types: Sequence[str]) -> None:
    kind = str(tensor.dtype).removeprefix("torch.")
    if tuple(tensor.shape) != tuple(shape) or kind not in types:
        raise ValueError(f"{name} is {kind} {tuple(tensor.shape)}, not {' or '.join(types)} {tuple(shape)}")
