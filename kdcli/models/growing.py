"""What the families of trees have in common: their models are grown one after the other."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from torch import Tensor

from kdcli.models.family import Fitted, Lesson, Teaching, Workshop
from kdcli.models.stack import Stack
from kdcli.progress import Report

Arrays: TypeAlias = Mapping[str, Tensor]
"""One tree, as `StackedTrees` has the arrays of several, with its λ if it is shrunk; or those of a stack."""


class Grown(Stack, ABC):
    """A stack of models that consist of trees."""

    @property
    @abstractmethod
    def arrays(self) -> Arrays:
        """What is stored of it, each array with a leading axis of members."""

    @property
    @abstractmethod
    def described(self) -> Mapping[str, Tensor]:
        """Numbers of each member, `(members,)`, by the names in the model's `described`."""


def grow_each(
    teaching: Teaching,
    workshop: Workshop,
    size: int,
    grow: Callable[[Lesson, int], Iterator[Arrays]],
    stacked: Callable[[Sequence[Arrays]], Grown],
) -> Iterator[Fitted]:
    """Grow the models of one set after the other, each of as many trees as its `size`.

    `grow` gives the trees of a lesson in a draw, model by model, and `stacked` makes a stack of those of all.
    """
    draws = teaching.draws
    with workshop.watch(len(teaching.lessons) * draws * len(teaching.seeds) * size, "tree") as report:
        done = _Done(report)
        for lesson in teaching.lessons:
            start = time.perf_counter()
            grown = chain.from_iterable(grow(lesson, draw) for draw in range(draws))
            stack = stacked(list(done(grown)))

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
    """Counts trees that are grown, and reports it."""

    report: Report
    count: int = 0

    def __call__(self, trees: Iterable[Arrays]) -> Iterator[Arrays]:
        """Yield the trees as they are grown."""
        for tree in trees:
            self.count += 1
            self.report(self.count, None)
            yield tree
