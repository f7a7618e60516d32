"""Examples with what is taught on them, cut into batches for training and into pieces for evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from kdcli.losses import Objective
from kdcli.models.stack import Stack, batch_of, pieces


@dataclass(frozen=True)
class Examples:
    """Some of the examples `x (examples, *features)`, `index (draws, n)`, and the objective on those."""

    x: Tensor
    index: Tensor
    objective: Objective

    def __len__(self) -> int:
        return self.index.shape[1]

    @cached_property
    def whole(self) -> Tensor:
        """All of them, `(draws, n, *features)`."""
        return batch_of(self.x, self.index, 0, len(self))

    def batches(
        self, batch_size: int, orders: Sequence[Generator], skip: int = 0
    ) -> Iterator[tuple[Tensor, Objective]]:
        """Yield an epoch of `(x (groups, batch, *features), objective)`, one group for each order.

        The orders are those of the first draw's seeds, then those of the next. A `batch_size` of 0 takes all
        examples at once, in a group for each draw. The first batches are left out if they are to be
        `skip`ped, and the orders drawn all the same.
        """
        n, draws = len(self), len(self.index)
        if batch_size == 0 or batch_size >= n:
            if not skip:
                yield self.whole, self.objective
            return
        epoch = torch.stack([torch.randperm(n, generator=order) for order in orders]).to(self.x.device)
        for rows in torch.split(epoch.view(draws, -1, n), batch_size, dim=2)[skip:]:
            index = self.index.gather(1, rows.flatten(1))
            x = self.x.index_select(0, index.flatten())
            yield x.view(len(orders), -1, *x.shape[1:]), self.objective.take(rows)


def by_set(logits: Tensor, objective: Objective) -> Tensor:
    """View `(members, n_classes, batch)` as `(draws, seeds, sets, n_classes, batch)`."""
    return logits.view(len(objective.target), -1, objective.sets, *logits.shape[1:])


@torch.no_grad()
def evaluate(model: Stack, examples: Examples) -> Tensor:
    """Return the loss of each member on all examples, `(members,)` float64, in evaluation mode."""
    model.eval()
    x, index, objective, n = examples.x, examples.index, examples.objective, len(examples)
    if not objective.is_mean:
        logits = model.predict(x, index).mT.float().to(x.device)
        return objective.loss(by_set(logits, objective)).cpu().flatten()
    total = torch.zeros((), dtype=torch.float64)
    for start, stop in pieces(n, model.piece):
        part = objective.part(start, stop)
        logits = by_set(model(batch_of(x, index, start, stop)).float(), part)
        total = total + part.loss(logits).cpu() * (stop - start)
    return (total / n).flatten()
