"""Decision trees, grown by scikit-learn, written "tree" or "tree:max_depth=6,min_samples_leaf=5"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from kdcli.errors import nearest
from kdcli.models.family import Fitted, Model, Need, Sizes, Teaching, Workshop

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stacked_trees import StackedTrees

MAX_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class Tree(Model):
    """A tree with these limits on its growth; None is no limit."""

    max_depth: int | None = None
    max_leaf_nodes: int | None = None
    min_samples_leaf: int = 1

    EXAMPLE: ClassVar[str] = "tree:max_depth=6"
    SYNTAX: ClassVar[str] = (
        "tree[:LIMIT=N[,...]] with LIMIT max_depth, max_leaf_nodes or min_samples_leaf, "
        f"for example {EXAMPLE}"
    )

    DESCRIBED: ClassVar[tuple[str, ...]] = ("leaves", "depth")

    @classmethod
    def parse(cls, arguments: str) -> Tree:
        """Read limits from "max_depth=6,min_samples_leaf=5"; raises ValueError saying which is wrong."""
        smallest = {"max_depth": 1, "max_leaf_nodes": 2, "min_samples_leaf": 1}
        limits: dict[str, int] = {}
        for text in arguments.split(",") if arguments else []:
            name, _, value = text.partition("=")
            if name not in smallest:
                wrong = f"no limit '{name}'{nearest(name, smallest)}" if name else "a limit is missing"
                raise ValueError(wrong)
            if name in limits:
                raise ValueError(f"{name} is given twice")
            digits = value.isascii() and value.isdigit() and len(value) <= 10
            if not (digits and smallest[name] <= int(value) <= MAX_LIMIT):
                shown = f"'{value}'" if value else "nothing"
                raise ValueError(
                    f"{name} must be a whole number from {smallest[name]} to {MAX_LIMIT}, not {shown}"
                )
            limits[name] = int(value)
        tree = cls(**limits)
        depth, leaves = tree.max_depth, tree.max_leaf_nodes
        if depth is not None and leaves is not None and depth < (leaves - 1).bit_length():
            raise ValueError(
                f"max_leaf_nodes={leaves} is out of reach with max_depth={depth}, "
                f"which allows {2**depth} leaves"
            )
        return tree

    @property
    def _limits(self) -> dict[str, int]:
        """The limits that are set, in the order of the fields."""
        none = asdict(Tree())
        return {name: value for name, value in asdict(self).items() if value != none[name]}

    def __str__(self) -> str:
        limits = ",".join(f"{name}={value}" for name, value in self._limits.items())
        return f"tree:{limits}" if limits else "tree"

    @property
    def slug(self) -> str:
        """The model in a file name, such as "tree-depth6-size5"."""
        short = {"max_depth": "depth", "max_leaf_nodes": "leaves", "min_samples_leaf": "size"}
        return "-".join(["tree", *(f"{short[name]}{value}" for name, value in self._limits.items())])

    @property
    def limited_by(self) -> str:
        """What keeps it from growing: "nothing", "leaves" alone, or something "else"."""
        if self.max_depth is not None or self.min_samples_leaf > 1:
            return "else"
        return "nothing" if self.max_leaf_nodes is None else "leaves"

    def problem(self, features: Sequence[int], n_train: int) -> str:
        """Say why no such tree can learn from these data; empty if one can."""
        if 2 * self.min_samples_leaf <= n_train:
            return ""
        return (
            f"min_samples_leaf={self.min_samples_leaf} allows no split of {n_train} training examples; "
            f"{n_train // 2} is the most"
        )

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count multiplications: a tree only compares."""
        return 0

    @classmethod
    def takes(cls, setting: str) -> bool:
        """Whether a setting of training has an effect: weights of examples do."""
        return setting == "class_weight"

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        """Grow the trees of one set after the other; seeds decide between equally good splits."""
        from kdcli.models.stacked_trees import grow_sets

        return grow_sets(asdict(self), teaching, workshop)

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedTrees:
        """Build the trees that have these stored tensors; raises ValueError if these are none."""
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
        """Return a lower bound of what growing takes: the trees of one set at a time are in memory."""
        return Need(super().needs(replace(sizes, sets=1)).memory, super().needs(sizes).disk)
