"""Decision trees, grown by scikit-learn, written "tree" or "tree:max_depth=6,shrink=auto"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from kdcli.errors import nearest
from kdcli.models.family import Fitted, Model, Need, Sizes, Teaching, Workshop

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.shrinkage import Shrink
    from kdcli.models.stacked_trees import StackedTrees

MAX_LIMIT = 1_000_000_000
DECIMAL = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")
SMALLEST = {"max_depth": 1, "max_leaf_nodes": 2, "min_samples_leaf": 1}
SHORT = {"max_depth": "depth", "max_leaf_nodes": "leaves", "min_samples_leaf": "size", "shrink": "shrink"}


@dataclass(frozen=True)
class Tree(Model):
    """A tree with these limits on its growth; None is no limit.

    Each student of a set is grown on rows drawn with replacement, by its seed; a teacher on all rows.
    `shrink` is the λ of hierarchical shrinkage, 0 for none, or "auto" for the best on the validation split.
    """

    max_depth: int | None = None
    max_leaf_nodes: int | None = None
    min_samples_leaf: int = 1
    shrink: Shrink = 0.0

    EXAMPLE: ClassVar[str] = "tree:max_depth=6"
    SYNTAX: ClassVar[str] = (
        "tree[:LIMIT=N[,...]] with LIMIT max_depth, max_leaf_nodes or min_samples_leaf, and with shrink=auto "
        f"or shrink=LAMBDA for hierarchical shrinkage of its leaves, for example {EXAMPLE}"
    )
    SEEDS: ClassVar[str] = "the rows drawn, with replacement"
    DESCRIBED: ClassVar[tuple[str, ...]] = ("leaves", "depth")

    @classmethod
    def parse(cls, arguments: str) -> Tree:
        """Read limits from "max_depth=6,shrink=auto"; raises ValueError saying which is wrong."""
        given: dict[str, Any] = {}
        for text in arguments.split(",") if arguments else []:
            name, _, value = text.partition("=")
            if name not in SHORT:
                raise ValueError(f"no limit '{name}'{nearest(name, SHORT)}" if name else "a limit is missing")
            if name in given:
                raise ValueError(f"{name} is given twice")
            given[name] = _limit(name, value) if name in SMALLEST else _strength(value)
        tree = cls(**given)
        depth, leaves = tree.max_depth, tree.max_leaf_nodes
        if depth is not None and leaves is not None and depth < (leaves - 1).bit_length():
            raise ValueError(
                f"max_leaf_nodes={leaves} is out of reach with max_depth={depth}, "
                f"which allows {2**depth} leaves"
            )
        return tree

    @property
    def limits(self) -> dict[str, int | None]:
        """The limits of the tree's growth, by scikit-learn's names."""
        return {name: getattr(self, name) for name in SMALLEST}

    @property
    def _given(self) -> dict[str, str]:
        """The settings that differ from a tree without limits, as text, in the order of the fields."""
        none = asdict(Tree())
        values = {name: value for name, value in asdict(self).items() if value != none[name]}
        return {name: _written(value) for name, value in values.items()}

    def __str__(self) -> str:
        given = ",".join(f"{name}={value}" for name, value in self._given.items())
        return f"tree:{given}" if given else "tree"

    @property
    def slug(self) -> str:
        """The model in a file name, such as "tree-depth6-size5" or "tree-shrink"."""
        given = [SHORT[name] + value.removeprefix("auto") for name, value in self._given.items()]
        return "-".join(["tree", *given])

    @property
    def described(self) -> tuple[str, ...]:
        """Names of the numbers that describe each tree; for a shrunk tree also λ."""
        return (*self.DESCRIBED, "shrink") if self.shrink else self.DESCRIBED

    @property
    def limited_by(self) -> str:
        """What limits the growth of the tree: "nothing", only "leaves", or something "else"."""
        if self.max_depth is not None or self.min_samples_leaf > 1:
            return "else"
        return "nothing" if self.max_leaf_nodes is None else "leaves"

    def problem(self, features: Sequence[int], n_train: int) -> str:
        """Return why such a tree cannot learn from these data; empty if it can."""
        if 2 * self.min_samples_leaf <= n_train:
            return ""
        return (
            f"min_samples_leaf={self.min_samples_leaf} allows no split of {n_train} training examples; "
            f"use at most {n_train // 2}"
        )

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count multiplications: a tree only compares."""
        return 0

    def takes(self, setting: str) -> bool:
        """Whether a setting of training has an effect: weights of examples do."""
        return setting == "class_weight"

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        """Grow the trees set by set; the seed of a student draws its rows."""
        from kdcli.models.stacked_trees import grow_sets

        return grow_sets(self.limits, self.shrink, teaching, workshop)

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedTrees:
        """Build the trees that have these stored tensors; raises ValueError if the tensors do not fit."""
        from kdcli.models import stacked_trees

        return stacked_trees.restore(tensors, math.prod(features), n_classes, members)

    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        """Return the bytes of a tree with a leaf for every eighth example, within its limits."""
        leaves = max(1, min(n_train // 8, n_train // self.min_samples_leaf))
        if self.max_leaf_nodes is not None:
            leaves = min(leaves, self.max_leaf_nodes)
        if self.max_depth is not None and self.max_depth < leaves.bit_length():
            leaves = min(leaves, 2**self.max_depth)
        return (2 * leaves - 1) * 8 * (4 + n_classes)

    def needs(self, sizes: Sizes) -> Need:
        """Return a lower bound of the needs: the trees of one set at a time are in memory."""
        return Need(super().needs(replace(sizes, sets=1)).memory, super().needs(sizes).disk)


def _limit(name: str, value: str) -> int:
    """Read a limit; raises ValueError saying what it must be."""
    digits = value.isascii() and value.isdigit() and len(value) <= 10
    if digits and SMALLEST[name] <= int(value) <= MAX_LIMIT:
        return int(value)
    shown = f"'{value}'" if value else "nothing"
    raise ValueError(f"{name} must be a whole number from {SMALLEST[name]} to {MAX_LIMIT}, not {shown}")


def _strength(value: str) -> Shrink:
    """Read λ; raises ValueError saying what it must be."""
    if value == "auto":
        return value
    if DECIMAL.fullmatch(value) and 0 < float(value) <= MAX_LIMIT:
        return float(value)
    shown = f"'{value}'" if value else "nothing"
    raise ValueError(
        f"shrink must be auto or a number above 0 and up to {MAX_LIMIT}, such as 0.5, not {shown}"
    )


def _written(value: int | float | str) -> str:
    """Write a value as `parse` reads it."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
