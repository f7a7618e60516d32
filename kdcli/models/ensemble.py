"""Ensembles: models whose probabilities are averaged, such as "5*mlp:64,64" or "mlp:64,64+gbdt"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from kdcli.models.family import Fitted, Model, Need, Sizes, Teaching, Workshop

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stacked_ensembles import StackedEnsembles

MOST_MEMBERS = 100


@dataclass(frozen=True)
class Ensemble(Model):
    """Several models, each with a count: `components` are pairs of a count and a model.

    All members have equal weight. Members of one model differ in their seeds: member k of K has the seed
    `seed · K + k`, where `seed` is that of the ensemble.
    """

    components: tuple[tuple[int, Model], ...]

    EXAMPLE: ClassVar[str] = "5*mlp:64,64"
    SYNTAX: ClassVar[str] = f"COUNT*MODEL or MODEL+MODEL, for example {EXAMPLE} or mlp:64,64+2*gbdt"
    SEEDS: ClassVar[str] = "the same as for each of its models"

    @classmethod
    def of(cls, counted: Iterable[tuple[int, Model]]) -> Model:
        """Return the ensemble of counted models, or the model itself if it is the only member.

        Raises ValueError for more than `MOST_MEMBERS` members.
        """
        counts: dict[Model, int] = {}
        for count, model in counted:
            counts[model] = counts.get(model, 0) + count
        members = sum(counts.values())
        if members > MOST_MEMBERS:
            raise ValueError(f"{members} members are more than the maximum of {MOST_MEMBERS}")
        if members == 1:
            return next(iter(counts))
        return cls(tuple((count, model) for model, count in counts.items()))

    @classmethod
    def parse(cls, arguments: str) -> Ensemble:
        """Raise NotImplementedError: models of any family are read by `parse_teacher`."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "+".join(f"{count}*{model}" if count > 1 else str(model) for count, model in self.components)

    @property
    def slug(self) -> str:
        """The model in a file name, such as "5xmlp64-64-gbdt"."""
        return "-".join(f"{count}x{m.slug}" if count > 1 else m.slug for count, m in self.components)

    @property
    def factored(self) -> tuple[int, Model]:
        """The common count of all models, and the models without it: 5 and mlp:64,64 for 5*mlp:64,64."""
        counts = {count for count, _ in self.components}
        if len(counts) > 1:
            return 1, self
        return counts.pop(), self.of((1, model) for _, model in self.components)

    @property
    def remembers(self) -> bool:
        """Whether any of its models memorises the labels of its training rows."""
        return any(model.remembers for _, model in self.components)

    def takes(self, setting: str) -> bool:
        """Whether a setting of training has an effect on any of its models."""
        return any(model.takes(setting) for _, model in self.components)

    def problem(self, features: Sequence[int], n_train: int) -> str:
        """Say why one of its models cannot learn from these data; empty if all can."""
        told = ((model, model.problem(features, n_train)) for _, model in self.components)
        return next((f"{model}: {problem}" for model, problem in told if problem), "")

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        """Count the multiplications of all members."""
        return sum(count * model.multiply_adds(features, n_classes) for count, model in self.components)

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        """Train the members model by model; trees of one model draw their rows.

        No seed may be lost: the workshop raises an error instead.
        """
        from kdcli.models.stacked_ensembles import joined

        trained = [
            list(model.train(_taught(teaching, count), workshop.component(number, model)))
            for number, (count, model) in enumerate(self.components)
        ]
        counts = [count for count, _ in self.components]
        for of_set in zip(*trained, strict=True):
            yield joined(teaching.seeds, counts, of_set)

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedEnsembles:
        """Build the ensembles that have these stored tensors; raises ValueError if the tensors do not fit."""
        from kdcli.models.stacked_ensembles import StackedEnsembles, of_component

        stacks = [
            model.restore(
                of_component(number, (members, count), tensors), features, n_classes, members * count
            )
            for number, (count, model) in enumerate(self.components)
        ]
        numbers = {str(number) for number in range(len(stacks))}
        if odd := [name for name in tensors if name.partition(".")[0] not in numbers]:
            raise ValueError(f"{odd[0]} belongs to none of the models of {self}")
        return StackedEnsembles(stacks, [count for count, _ in self.components])

    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        """Return the bytes of all members."""
        return sum(
            count * model.least_bytes(features, n_classes, n_train) for count, model in self.components
        )

    def needs(self, sizes: Sizes) -> Need:
        """Return a lower bound of training's needs: the members of one model at a time are in memory."""
        each = self.least_bytes(sizes.features, sizes.n_classes, sizes.train)
        needs = [model.needs(replace(sizes, seeds=count * sizes.seeds)) for count, model in self.components]
        return Need(
            memory=max(need.memory for need in needs),
            disk=sizes.members * (each + 8 * sizes.n_classes * sizes.predicted),
        )


def _taught(teaching: Teaching, count: int) -> Teaching:
    """Return the teaching of `count` members for each seed."""
    seeds = [seed * count + k for seed in teaching.seeds for k in range(count)]
    return replace(teaching, seeds=seeds, replicates=teaching.replicates or count > 1)
