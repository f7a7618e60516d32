"""Examples with what is taught on them, cut into batches for training and into pieces for evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from kdcli.losses import Objective
from kdcli.models.stack import Stack, pieces


@dataclass(frozen=True)
class Examples:
    """Examples `x (n, *features)` and the objective on them."""

    x: Tensor
    objective: Objective

    def __len__(self) -> int:
        return len(self.x)

    def batches(
        self, batch_size: int, orders: Sequence[Generator], skip: int = 0
    ) -> Iterator[tuple[Tensor, Objective]]:
        """Yield an epoch of `(x (groups, batch, *features), objective)`, one group for each order.

        A `batch_size` of 0 takes all examples at once. The first batches are left out if they are to be
        `skip`ped, and the orders drawn all the same.
        """
        n = len(self)
        if batch_size == 0 or batch_size >= n:
            if not skip:
                yield self.x.unsqueeze(0), self.objective
            return
        epoch = torch.stack([torch.randperm(n, generator=order) for order in orders]).to(self.x.device)
        for index in torch.split(epoch, batch_size, dim=1)[skip:]:
            x = self.x.index_select(0, index.flatten()).view(*index.shape, *self.x.shape[1:])
            yield x, self.objective.take(index)


def by_set(logits: Tensor, objective: Objective) -> Tensor:
    """View `(members, n_classes, batch)` as `(groups, sets, n_classes, batch)`."""
    return logits.view(-1, objective.sets, *logits.shape[1:])


@torch.no_grad()
def evaluate(model: Stack, examples: Examples) -> Tensor:
    """Return the loss of each member on all examples, `(members,)` float64, in evaluation mode."""
    model.eval()
    x, objective, n = examples.x, examples.objective, len(examples)
    if not objective.is_mean:
        return objective.loss(by_set(model.predict(x).mT.float().to(x.device), objective)).cpu().flatten()
    total = torch.zeros((), dtype=torch.float64)
    for start, stop in pieces(n, model.piece):
        part = objective.part(start, stop)
        logits = by_set(model(x[start:stop].unsqueeze(0)).float(), part)
        total = total + part.loss(logits).cpu() * (stop - start)
    return (total / n).flatten()
