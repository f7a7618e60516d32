"""Random forests, written "forest:100" by the number of trees, with limits "forest:100,max_depth=8"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from kdcli.models.family import Fitted, Model, Need, Sizes, Teaching, Workshop
from kdcli.models.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stacked_forests import StackedForests

MOST_TREES = 10_000


@dataclass(frozen=True)
class Forest(Model):
    """A number of trees, each within the limits of `each`, grown on bootstrap samples of the examples."""

    trees: int
    each: Tree = field(default_factory=Tree)

    EXAMPLE: ClassVar[str] = "forest:100"
    SYNTAX: ClassVar[str] = (
        "forest:TREES[,LIMIT=N...] with the limits of a tree's growth, for example forest:100,max_depth=8"
    )
    SEEDS: ClassVar[str] = "the rows and columns drawn for each tree"
    REMEMBERS: ClassVar[bool] = True
    DESCRIBED: ClassVar[tuple[str, ...]] = ("leaves",)

    @classmethod
    def parse(cls, arguments: str) -> Forest:
        """Read trees and limits from "100,max_depth=8"; raises ValueError saying what is wrong."""
        trees, _, limits = arguments.partition(",")
        if not (trees.isascii() and trees.isdigit() and len(trees) <= 5 and 1 <= int(trees) <= MOST_TREES):
            shown = f"'{trees}'" if trees else "nothing"
            raise ValueError(f"the trees must be a whole number from 1 to {MOST_TREES}, not {shown}")
        each = Tree.parse(limits)
        if each.shrink:
            raise ValueError("shrink is for single trees, not for those of a forest")
        return cls(int(trees), each)

    def __str__(self) -> str:
        _, _, limits = str(self.each).partition(":")
        return f"forest:{self.trees}" + (f",{limits}" if limits else "")

    @property
    def slug(self) -> str:
        """The model in a file name, such as "forest100-depth8"."""
        _, dash, limits = self.each.slug.partition("-")
        return f"forest{self.trees}{dash}{limits}"

    def takes(self, setting: str) -> bool:
        """Whether a setting of training has an effect, as on a single tree."""
        return self.each.takes(setting)

    def problem(self, features: Sequence[int], n_train: int) -> str:
        """Return why such a forest cannot learn from these data; empty if it can."""
        return self.each.problem(features, n_train)

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count multiplications: trees only compare."""
        return 0

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        """Grow the forests set by set; a seed draws the rows and columns of each tree."""
        from kdcli.models.stacked_forests import grow_sets

        return grow_sets(self.trees, self.each.limits, teaching, workshop)

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedForests:
        """Build the forests that have these stored tensors; raises ValueError if the tensors do not fit."""
        from kdcli.models.stacked_forests import restore

        return restore(tensors, math.prod(features), n_classes, (members, self.trees))

    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        """Return the bytes of its trees."""
        return self.trees * self.each.least_bytes(features, n_classes, n_train)

    def needs(self, sizes: Sizes) -> Need:
        """Return a lower bound of the needs: the forests of one set at a time are in memory."""
        return Need(super().needs(replace(sizes, sets=1)).memory, super().needs(sizes).disk)
