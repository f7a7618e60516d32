"""Examples with their objective, split into batches for training and into pieces for evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from kdcli.losses import Objective
from kdcli.models.stack import Stack, as_input, batch_of, pieces


class Scaling(NamedTuple):
    """The shift and scale that standardise the features of each draw: `(draws, features)` each.

    A feature that is constant in a draw has the scale ∞, so that it is always 0.
    """

    shift: Tensor
    scale: Tensor

    def scaled(self, x: Tensor) -> Tensor:
        """Return x `(draws, n, features)`, standardised."""
        return (as_input(x) - self.shift.unsqueeze(1)) / self.scale.unsqueeze(1)


def scaling_of(x: Tensor, index: Tensor) -> Scaling:
    """Return the scaling of the examples with indices `index (draws, n)`."""
    shifts, scales = [], []
    for rows in index:
        taken = as_input(x[rows]).double()
        deviation = taken.std(0, correction=0).float()
        shifts.append(taken.mean(0).float())
        scales.append(torch.where(deviation > 0, deviation, torch.inf))
    return Scaling(torch.stack(shifts), torch.stack(scales))


@dataclass(frozen=True)
class Examples:
    """A selection `index (draws, n)` of the examples `x (examples, *features)`, and the objective on it.

    With a `scaling`, models get (x − shift) / scale for each draw.
    """

    x: Tensor
    index: Tensor
    objective: Objective
    scaling: Scaling | None = None

    def __len__(self) -> int:
        return self.index.shape[1]

    @cached_property
    def whole(self) -> Tensor:
        """All selected examples, `(draws, n, *features)`."""
        return self.run(0, len(self))

    def run(self, start: int, stop: int) -> Tensor:
        """Return a consecutive range of the examples, `(draws, n, *features)`."""
        x = batch_of(self.x, self.index, start, stop)
        return self.scaling.scaled(x) if self.scaling else x

    def batches(
        self, batch_size: int, orders: Sequence[Generator], skip: int = 0
    ) -> Iterator[tuple[Tensor, Objective]]:
        """Yield an epoch of `(x (groups, batch, *features), objective)`, one group for each order.

        The orders are those of the first draw's seeds, then of the next draw's. A `batch_size` of 0 takes all
        examples at once, in a group for each draw. The first `skip` batches are left out, but the orders are
        drawn as usual.
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
            if self.scaling:
                x = self.scaling.scaled(x.view(draws, -1, *x.shape[1:]))
            yield x.view(len(orders), -1, *self.x.shape[1:]), self.objective.take(rows)


def by_set(logits: Tensor, objective: Objective) -> Tensor:
    """View `(members, n_classes, batch)` as `(draws, seeds, sets, n_classes, batch)`."""
    return logits.view(len(objective.target), -1, objective.sets, *logits.shape[1:])


@torch.no_grad()
def evaluate(model: Stack, examples: Examples) -> tuple[Tensor, Tensor]:
    """Return loss and accuracy of each member on all examples, `(members,)` float64, in evaluation mode."""
    model.eval()
    objective, n = examples.objective, len(examples)
    if not objective.is_mean:
        parts = [model(examples.run(start, stop)) for start, stop in pieces(n, model.piece)]
        logits = by_set(torch.cat(parts, 2).float(), objective)
        return objective.loss(logits).cpu().flatten(), (objective.hits(logits) / n).cpu().flatten()
    loss = hits = torch.zeros((), dtype=torch.float64)
    for start, stop in pieces(n, model.piece):
        part = objective.part(start, stop)
        logits = by_set(model(examples.run(start, stop)).float(), part)
        loss = loss + part.loss(logits).cpu() * (stop - start)
        hits = hits + part.hits(logits).cpu()
    return (loss / n).flatten(), (hits / n).flatten()
