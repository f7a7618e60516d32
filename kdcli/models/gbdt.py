"""Gradient-boosted decision trees, grown by XGBoost, written "gbdt" or "gbdt:rounds=30,leaves=7"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from kdcli.errors import nearest
from kdcli.models.family import Fitted, Model, Need, Sizes, Teaching, Workshop

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stacked_boosted import StackedBoosted

NODE_BYTES = 40  # a feature, a threshold, two branches and a value
WHOLE_WAY = 15.0  # the default product of rounds and learning rate
RATE = re.compile(r"[0-9]*\.?[0-9]+(e-?[0-9]+)?")
MOST = {"rounds": (1, 10_000), "leaves": (2, 1000)}


@dataclass(frozen=True)
class Gbdt(Model):
    """Boosted trees: at most `rounds` rounds, each with a tree of `leaves` leaves for every class.

    Two classes share a tree. Rounds after the lowest validation loss are dropped. Fewer rounds take larger
    steps, unless a learning rate is given.
    """

    rounds: int = 300
    leaves: int = 31
    given_rate: float | None = None

    EXAMPLE: ClassVar[str] = "gbdt:rounds=30,leaves=7"
    SYNTAX: ClassVar[str] = (
        f"gbdt[:NAME=NUMBER[,...]] with NAME rounds, leaves or learning_rate, for example {EXAMPLE}"
    )
    SEEDS: ClassVar[str] = "the rows and columns drawn for each round"
    REMEMBERS: ClassVar[bool] = True
    DESCRIBED: ClassVar[tuple[str, ...]] = ("rounds", "leaves")

    @classmethod
    def parse(cls, arguments: str) -> Gbdt:
        """Read "rounds=300,leaves=31,learning_rate=0.05"; raises ValueError saying which is wrong."""
        found: dict[str, str] = {}
        for text in arguments.split(",") if arguments else []:
            name, _, value = text.partition("=")
            if name not in (*MOST, "learning_rate"):
                known = (*MOST, "learning_rate")
                raise ValueError(f"no '{name}'{nearest(name, known)}" if name else "a name is missing")
            if name in found:
                raise ValueError(f"{name} is given twice")
            found[name] = value
        sizes = {name: _whole(name, value) for name, value in found.items() if name in MOST}
        model = cls(**sizes)
        if "learning_rate" in found:
            rate = _rate(found["learning_rate"])
            model = replace(model, given_rate=None if rate == model.learning_rate else rate)
        return model

    @property
    def learning_rate(self) -> float:
        """The learning rate; by default .05 with 300 rounds, and .3 with 50 or fewer."""
        return self.given_rate or min(0.3, max(0.01, WHOLE_WAY / self.rounds))

    @property
    def _unusual(self) -> dict[str, float]:
        """The values that differ from the defaults, in the order of the fields."""
        usual = Gbdt()
        sizes = {name: getattr(self, name) for name in MOST if getattr(self, name) != getattr(usual, name)}
        return sizes | ({"learning_rate": self.given_rate} if self.given_rate else {})

    def __str__(self) -> str:
        arguments = ",".join(f"{name}={value!r}" for name, value in self._unusual.items())
        return f"gbdt:{arguments}" if arguments else "gbdt"

    @property
    def slug(self) -> str:
        """The model in a file name, such as "gbdt-rounds30-leaves7"."""
        short = {"learning_rate": "rate"}
        return "-".join(
            ["gbdt", *(f"{short.get(name, name)}{value}" for name, value in self._unusual.items())]
        )

    def takes(self, setting: str) -> bool:
        """Whether a setting of training has an effect: weights of examples do."""
        return setting == "class_weight"

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count multiplications: trees compare, and their values are added."""
        return 0

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        """Boost the models set by set; a seed draws the rows and columns of each round."""
        from kdcli.models.boosting import Boosting, boost_sets

        boosting = Boosting(self.rounds, self.leaves, self.learning_rate)
        return boost_sets(boosting, teaching, workshop)

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedBoosted:
        """Build the models that have these stored tensors; raises ValueError if the tensors do not fit."""
        from kdcli.models.stacked_boosted import restore

        return restore(tensors, math.prod(features), n_classes, members)

    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        """Return the bytes of a single round, since only one may be kept."""
        return NODE_BYTES * (n_classes if n_classes > 2 else 1)

    def needs(self, sizes: Sizes) -> Need:
        """Return a lower bound of the needs: one set at a time is in memory."""
        return Need(super().needs(replace(sizes, sets=1)).memory, super().needs(sizes).disk)


def _whole(name: str, value: str) -> int:
    low, high = MOST[name]
    if value.isascii() and value.isdigit() and len(value) <= 6 and low <= int(value) <= high:
        return int(value)
    raise ValueError(f"{name} must be a whole number from {low} to {high}, not {_shown(value)}")


def _rate(value: str) -> float:
    if RATE.fullmatch(value) and 1e-4 <= float(value) <= 1:
        return float(value)
    raise ValueError(f"learning_rate must be a number from 0.0001 to 1, not {_shown(value)}")


def _shown(value: str) -> str:
    return f"'{value}'" if value else "nothing"
