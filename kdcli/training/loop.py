"""The one gradient training loop. It does not depend on the target.

Teachers and students, one model or a stack of models, whole splits or batches: all are trained here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from kdcli.losses import Objective
from kdcli.models.family import History
from kdcli.models.stack import Backward, StackedNetwork, pieces
from kdcli.progress import Report, Silence
from kdcli.runs.recipe import Training
from kdcli.training.curves import Curves
from kdcli.training.examples import Examples, by_set
from kdcli.training.optimizer import Adam
from kdcli.training.processor import keep_freed_memory
from kdcli.training.selection import BestEpoch
from kdcli.training.state import Keeper, TrainingState


def steps_in_epoch(examples: int, batch_size: int) -> int:
    """Return the number of steps in an epoch over the examples; a batch size of 0 takes all at once."""
    return math.ceil(examples / batch_size) if batch_size else 1


@torch.no_grad()
def fit(
    model: StackedNetwork,
    train: Examples,
    val: Examples,
    training: Training,
    *,
    orders: Sequence[Generator],
    precision: torch.dtype = torch.float32,
    decay: bool = False,
    keep_going: bool = False,
    report: Report | None = None,
    keeper: Keeper | None = None,
) -> History:
    """Train a stack with Adam and return its learning curves.

    Each of `orders` shuffles the batches of one group of members. The members' losses are summed, and Adam
    acts element by element, so each member is trained as it would be alone. Matrix products are computed in
    `precision`; parameters, losses and updates stay in float32. With `decay` the learning rate falls to 0
    linearly, step by step. With the selection "best" each member ends with its best epoch (see `BestEpoch`).
    A `keeper` gets the state from time to time, and at the end of the training: a training resumed from a
    state ends with the same bits as one that was never interrupted.

    Raises `DivergedError` as soon as a recorded loss is not finite. With `keep_going`, training continues as
    long as a member is left, and the curves show which have `diverged`; the others are not affected.
    """
    keep_freed_memory()
    curves = Curves(model, train, val, training.epochs, precision, keep_going=keep_going)
    shuffled = 0 < training.batch_size < len(train)
    optimizer = Adam(model.parameters(), training)
    best = BestEpoch(model, val) if training.select == "best" else None
    state = TrainingState(optimizer, curves, orders if shuffled else (), model.generators, best)
    run = _Run(model, train, training, orders, precision, decay, state, report or Silence(), keeper)
    run.start()
    for epoch in range(state.epoch, training.epochs + 1):
        run.train_epoch(epoch)
        if curves.all_diverged:
            return curves.history()
    run.finish()
    return curves.history()


@dataclass(frozen=True)
class _Run:
    """One training, from its start or from where it was interrupted."""

    model: StackedNetwork
    examples: Examples
    training: Training
    orders: Sequence[Generator]
    precision: torch.dtype
    decay: bool
    state: TrainingState
    report: Report
    keeper: Keeper | None

    def start(self) -> None:
        """Resume from a saved state; if there is none, record losses and accuracies before training."""
        if self.keeper and (kept := self.keeper.load()):
            self.state.restore(kept)
            if self.state.epoch <= self.training.epochs:
                self.report.resumed(self.state.epoch)
        else:
            self.record(0)
        self.report(self.state.steps, self.state.curves.mean_loss)

    def train_epoch(self, epoch: int) -> None:
        """Take the remaining steps of an epoch, and record its curves if they are due."""
        state, optimizer, training = self.state, self.state.optimizer, self.training
        steps = training.epochs * steps_in_epoch(len(self.examples), training.batch_size)
        state.begin(epoch)
        for x, objective in self.examples.batches(training.batch_size, self.orders, skip=state.batches):
            if self.decay:
                optimizer.learning_rate = training.learning_rate * (1 - state.steps / steps)
            add_gradients(self.model, x, objective, optimizer.gradients, self.precision)
            optimizer.step()
            state.advance()
            self.report(state.steps, state.curves.mean_loss)
            if self.keeper and self.keeper.due():
                self.keeper.save(state.tensors())
        state.batches = 0
        if state.curves.due(epoch):
            self.record(epoch)
            self.report(state.steps, state.curves.mean_loss)

    def record(self, epoch: int) -> None:
        """Measure losses and accuracies after an epoch, and keep the best parameters if they are selected."""
        self.state.curves.record(epoch)
        if self.state.best:
            self.state.best.look()

    def finish(self) -> None:
        """Save the state at the end, in case kd is interrupted before the result is stored."""
        if self.keeper:
            self.state.begin(self.training.epochs + 1)
            self.keeper.save(self.state.tensors())
        if self.state.best:
            self.state.best.take()


def add_gradients(
    model: StackedNetwork,
    x: Tensor,
    objective: Objective,
    gradients: Sequence[Tensor],
    precision: torch.dtype,
) -> None:
    """Store the gradients on a batch `x (groups, batch, *features)`.

    A large batch is computed in pieces that fit in the cache, and their gradients are summed, so that memory
    does not grow with the batch. A loss that is not a mean over examples needs the whole batch.
    """
    examples = x.shape[1]
    for start, stop in pieces(examples, model.piece if objective.is_mean else examples):
        part = objective if stop - start == examples else objective.part(start, stop)

        def upstream(logits: Tensor, part: Objective = part) -> Tensor:
            return part.gradient(by_set(logits, part), examples).view_as(logits)

        backward = Backward(upstream, gradients, fresh=start == 0, precision=precision)
        model.add_gradients(x[:, start:stop], backward)
