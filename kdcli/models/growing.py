"""Shared by the families of trees: their models are grown one after the other."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from torch import Tensor

from kdcli.models.family import Fitted, Lesson, Teaching, Workshop
from kdcli.models.stack import Stack
from kdcli.progress import Report

Arrays: TypeAlias = Mapping[str, Tensor]
"""The arrays of one tree, in the form of `StackedTrees`, with its λ if it is shrunk; or those of a
model, or of a stack."""

Growing: TypeAlias = Callable[[Lesson, int, Callable[[int], None]], Iterator[Arrays]]
"""Grows the models of a lesson in a draw one by one, and reports each time how much more is done."""


class Grown(Stack, ABC):
    """A stack of models that consist of trees."""

    @property
    @abstractmethod
    def arrays(self) -> Arrays:
        """The arrays to be stored, each with a leading member axis."""

    @property
    @abstractmethod
    def described(self) -> Mapping[str, Tensor]:
        """Numbers that describe each member, `(members,)`, by the names in the model's `described`."""


def grow_each(
    teaching: Teaching,
    workshop: Workshop,
    size: int,
    grow: Growing,
    stacked: Callable[[Sequence[Arrays]], Grown],
    unit: str = "tree",
) -> Iterator[Fitted]:
    """Grow the models set by set; the progress of each model counts `size` units.

    `stacked` makes a stack of the models that `grow` yields for all draws.
    """
    draws = teaching.draws
    with workshop.watch(len(teaching.lessons) * draws * len(teaching.seeds) * size, unit) as report:
        done = _Done(report)
        for lesson in teaching.lessons:
            start = time.perf_counter()
            grown = chain.from_iterable(grow(lesson, draw, done) for draw in range(draws))
            stack = stacked(list(grown))

            def by_draw(tensor: Tensor) -> Tensor:
                return tensor.view(draws, -1, *tensor.shape[1:])

            yield Fitted(
                seeds=teaching.seeds,
                tensors={name: by_draw(tensor) for name, tensor in stack.arrays.items()},
                logits={
                    split: by_draw(stack.predict(teaching.x, teaching.index[split]))
                    for split in teaching.predicted
                },
                seconds=time.perf_counter() - start,
                described={name: by_draw(values).tolist() for name, values in stack.described.items()},
            )


@dataclass
class _Done:
    """Counts the units that are grown, and reports them."""

    report: Report
    count: int = 0

    def __call__(self, more: int) -> None:
        """Report `more` grown units."""
        self.count += more
        self.report(self.count, None)
