"""The one gradient training loop. It does not know which target it was given.

Teachers and students, one model or a stack of them, whole splits or batches: all pass here.
"""

import ctypes
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor, nn

from kdcli.losses import Objective
from kdcli.models.stack import Stack, StackedNetwork

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names of glibc's malloc.h
CURVE_POINTS = 150  # a curve has at most about this many points, however many epochs there are
REPORTED_EVERY = 0.1  # seconds between two reports within an epoch


class Report(Protocol):
    """Is told how far a training is."""

    def __call__(self, done: int, loss: float | None) -> None:
        """Take the steps or trees done, and the mean training loss recorded last, if there is one."""

    def resumed(self, epoch: int) -> None:
        """Take the epoch at which a training that was cut off goes on."""


class Silence:
    """Reports to nobody."""

    def __call__(self, done: int, loss: float | None) -> None:
        """Pass over it."""

    def resumed(self, epoch: int) -> None:
        """Pass over it."""


class History(NamedTuple):
    """Learning curves, each loss measured in evaluation mode on its whole split.

    epochs (points,) int64; train and val (members, points) float64, in nats.
    """

    epochs: Tensor
    train: Tensor
    val: Tensor

    @property
    def diverged(self) -> dict[int, int]:
        """The members whose loss stopped being finite, each with the epoch by which it had."""
        lost = _lost(self.train, self.val)
        members = lost.any(dim=1).nonzero().flatten().tolist()
        return {m: int(self.epochs[lost[m].nonzero()[0, 0]]) for m in members}


def curves_of(history: History, members: Sequence[int]) -> dict[str, Tensor]:
    """Return the learning curves of some members as named tensors to store."""
    wanted = list(members)
    return {"epochs": history.epochs, "train": history.train[wanted], "val": history.val[wanted]}


class Keeper(Protocol):
    """Keeps the state of a training, as named tensors on the CPU, to go on from after it was cut off."""

    def load(self) -> Mapping[str, Tensor] | None:
        """Return the state that was kept of this very training; None if there is none."""

    def due(self) -> bool:
        """Whether it is time to keep the state again."""

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Keep a state in place of the last."""


class DivergedError(Exception):
    """The loss of some members stopped being a finite number."""

    def __init__(self, epoch: int, members: list[int]) -> None:
        super().__init__(f"non-finite loss at epoch {epoch} in members {members}")
        self.epoch = epoch
        self.members = members


def steps_in_epoch(examples: int, batch_size: int) -> int:
    """Return how many steps an epoch over so many examples takes; a batch size of 0 takes all at once."""
    return math.ceil(examples / batch_size) if batch_size else 1


@torch.no_grad()
def fit(
    model: StackedNetwork,
    x_train: Tensor,
    objective: Objective,
    x_val: Tensor,
    val_objective: Objective,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    orders: Sequence[Generator],
    precision: torch.dtype = torch.float32,
    decay: bool = False,
    keep_going: bool = False,
    report: Report | None = None,
    keeper: Keeper | None = None,
) -> History:
    """Train a stack with Adam and return its learning curves.

    `x_train (n, *features)` goes with `objective`, `x_val` with `val_objective`. A `batch_size` of 0
    takes the whole split at once; otherwise each of `orders` shuffles the batches of one group of
    members. The members' losses are summed, and Adam acts element by element, so each member is
    trained as it would be alone. A large batch is computed in pieces that stay in the cache, and their
    gradients are summed: memory does not grow with it. With a `precision` of bfloat16 the matrix products
    are computed in it, while parameters, losses and updates stay in float32. With `decay` the step size falls
    to 0 linearly, step by step. All tensors are on the model's device.

    A `keeper` is given the state from time to time, and when the training is done. A training that starts
    from a state ends with the same bits as one that was never cut off: the state has everything that
    later steps depend on.

    Raises `DivergedError` as soon as a recorded loss is not finite. If it is to `keep_going` it goes on as
    long as a member is left, and the curves tell which have `diverged`: members do not touch each other, so
    the others end with the bits that they would have had.
    """
    keep_freed_memory()
    report = report or Silence()
    optimizer = Adam(model.parameters(), learning_rate)
    every = math.ceil(epochs / CURVE_POINTS)
    points: list[tuple[int, Tensor, Tensor]] = []
    steps_each = steps_in_epoch(len(x_train), batch_size)
    steps = epochs * steps_each
    first, skip, done = 1, 0, 0

    def recorded(epoch: int) -> bool:
        return epoch % every == 0 or epoch == epochs

    def record(epoch: int) -> None:
        with _products_in(precision, x_train.device):
            train, val = evaluate(model, x_train, objective), evaluate(model, x_val, val_objective)
        points.append((epoch, train, val))
        stop_if_diverged(*points[-1])
        report(done, _mean_of_finite(train))

    def stop_if_diverged(epoch: int, train: Tensor, val: Tensor) -> None:
        lost = _lost(train, val)
        if bool(lost.any()) and not keep_going:
            raise DivergedError(epoch, lost.nonzero().flatten().tolist())

    def draws() -> list[Tensor]:
        return [order.get_state() for order in orders]

    def state(epoch: int, taken: int, orders_before: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return all that later steps depend on, after so many batches of an epoch."""
        return {
            **{name: value.cpu() for name, value in optimizer.state().items()},
            **{f"order.{k}": before for k, before in enumerate(orders_before)},
            **{f"mask.{k}": mask.get_state() for k, mask in enumerate(model.generators)},
            **{f"curve.{name}": value for name, value in _history(points, model.members)._asdict().items()},
            "at": torch.tensor([epoch, taken, done]),
        }

    kept = keeper.load() if keeper else None
    if kept and _fits(kept, state(1, 0, draws())) and _possible(kept, epochs, steps_each, recorded):
        optimizer.restore(kept)
        for kind, streams in {"order": orders, "mask": model.generators}.items():
            for k, stream in enumerate(streams):
                stream.set_state(kept[f"{kind}.{k}"])
        curves = (kept["curve.epochs"].tolist(), kept["curve.train"].unbind(1), kept["curve.val"].unbind(1))
        points.extend(zip(*curves, strict=True))
        for point in points:
            stop_if_diverged(*point)
        first, skip, done = kept["at"].tolist()
        report.resumed(first)
        report(done, _mean_of_finite(points[-1][1]))
    else:
        record(0)
    shuffled = 0 < batch_size < len(x_train)
    if shuffled:
        objective = objective.by_example()
    before, reported = draws(), time.monotonic()
    for epoch in range(first, epochs + 1):
        if shuffled:
            before = draws()
        for taken, (x, batch) in enumerate(_batches(x_train, objective, batch_size, orders, skip), skip + 1):
            _add_gradients(model, x, batch, optimizer.gradients, precision)
            if decay:
                optimizer.learning_rate = learning_rate * (1 - done / steps)
            done += 1
            optimizer.step()
            if time.monotonic() > reported + REPORTED_EVERY:
                report(done, _mean_of_finite(points[-1][1]))
                reported = time.monotonic()
            if keeper and keeper.due():
                keeper.save(state(epoch, taken, before))
        skip = 0
        if recorded(epoch):
            record(epoch)
            if bool(_lost(*points[-1][1:]).all()):
                return _history(points, model.members)
    if keeper:
        keeper.save(state(epochs + 1, 0, draws()))
    return _history(points, model.members)


def _add_gradients(
    model: StackedNetwork, x: Tensor, batch: Objective, gradients: Sequence[Tensor], precision: torch.dtype
) -> None:
    """Store the gradients on a batch `x (groups, batch, *features)`, computed piece by piece."""
    examples = x.shape[1]
    for start, stop in _pieces(examples, model.piece):
        part = batch if stop - start == examples else batch.part(start, stop)

        def upstream(logits: Tensor, part: Objective = part) -> Tensor:
            return part.gradient(_by_set(logits, part), examples).view_as(logits)

        model.add_gradients(x[:, start:stop], upstream, gradients, fresh=start == 0, precision=precision)


def _pieces(examples: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut so many examples into runs of at most `most`, of even size; yields start and stop of each."""
    size = math.ceil(examples / math.ceil(examples / most))
    for start in range(0, examples, size):
        yield start, min(start + size, examples)


def _mean_of_finite(losses: Tensor) -> float:
    return float(losses[losses.isfinite()].mean())


def _lost(train: Tensor, val: Tensor) -> Tensor:
    return ~(train.isfinite() & val.isfinite())


def _history(points: Sequence[tuple[int, Tensor, Tensor]], members: int) -> History:
    nothing = torch.empty(members, 0, dtype=torch.float64)
    return History(
        epochs=torch.tensor([epoch for epoch, _, _ in points], dtype=torch.int64),
        train=torch.cat([nothing, *(train.view(-1, 1) for _, train, _ in points)], dim=1),
        val=torch.cat([nothing, *(val.view(-1, 1) for _, _, val in points)], dim=1),
    )


def _fits(kept: Mapping[str, Tensor], fresh: Mapping[str, Tensor]) -> bool:
    """Whether a state that was kept has the tensors of a training whose state is this at its start.

    Only one that somebody made up has not: what is whole, and of this very training, fits.
    """
    if set(kept) != set(fresh) or not kept["curve.epochs"].numel():
        return False
    for name, value in fresh.items():
        shape = tuple(value.shape)
        if name.startswith("curve."):
            shape = (*shape[:-1], kept["curve.epochs"].numel())
        if tuple(kept[name].shape) != shape or kept[name].dtype != value.dtype:
            return False
        if name.startswith(("order.", "mask.")):
            try:
                Generator().set_state(kept[name])
            except RuntimeError:
                return False
    return True


def _possible(kept: Mapping[str, Tensor], epochs: int, batches: int, recorded: Callable[[int], bool]) -> bool:
    """Whether a training gets to where a kept state says that it got: to be there, or to have points there.

    Only one that somebody made up does not.
    """
    first, skip, done = kept["at"].tolist()
    return (
        1 <= first <= epochs + 1
        and 0 <= skip <= batches
        and done == (first - 1) * batches + skip
        and kept["curve.epochs"].tolist() == [epoch for epoch in range(first) if recorded(epoch)]
    )


def _products_in(precision: torch.dtype, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


class Adam:
    """Adam (Kingma and Ba, 2015) with its usual constants, over PyTorch's own kernel for it.

    Constructing `torch.optim.Adam` imports the compiler, which takes as long as training a teacher; and what
    lies between it and the kernel takes longer than the kernel does on a small student. All parameters are
    moved into one tensor, and updated by one call; they stay views of it. `gradients` has room for those of
    each.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        there = list(parameters)
        self.learning_rate = learning_rate
        self.values = torch.cat([p.detach().flatten() for p in there])
        self.gradient = torch.zeros_like(self.values)
        self.mean = torch.zeros_like(self.values)
        self.square = torch.zeros_like(self.values)
        self.steps = torch.zeros((), device=self.values.device)
        sizes = [p.numel() for p in there]
        pairs = zip(there, torch.split(self.values, sizes), strict=True)
        for parameter, view in pairs:
            parameter.data = view.view_as(parameter)
        self.gradients = [
            part.view_as(p) for part, p in zip(torch.split(self.gradient, sizes), there, strict=True)
        ]

    def state(self) -> dict[str, Tensor]:
        """Return the parameters, their moments and the number of steps, by name."""
        return {
            "parameters": self.values,
            "adam.mean": self.mean,
            "adam.square": self.square,
            "adam.steps": self.steps,
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for name, value in self.state().items():
            value.copy_(state[name])

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters in place by their gradients."""
        self.steps += 1
        torch._fused_adam_(
            [self.values],
            [self.gradient],
            [self.mean],
            [self.square],
            [],
            [self.steps],
            lr=self.learning_rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


@torch.no_grad()
def evaluate(model: Stack, x: Tensor, objective: Objective) -> Tensor:
    """Return the loss of each member on a whole split, `(members,)` float64, in evaluation mode."""
    model.eval()
    total = torch.zeros((), dtype=torch.float64)
    for start, stop in _pieces(len(x), model.piece):
        part = objective.part(start, stop)
        logits = _by_set(model(x[start:stop].unsqueeze(0)).float(), part)
        total = total + part.loss(logits).cpu() * (stop - start)
    return (total / len(x)).flatten()


@torch.no_grad()
def predict(model: Stack, x: Tensor) -> Tensor:
    """Return logits of every member, `(members, n, n_classes)`, in evaluation mode."""
    model.eval()
    parts = [model(x[start:stop].unsqueeze(0)).mT for start, stop in _pieces(len(x), model.piece)]
    return torch.cat(parts, dim=1).contiguous().cpu()


def _batches(
    x: Tensor, objective: Objective, batch_size: int, orders: Sequence[Generator], skip: int = 0
) -> Iterator[tuple[Tensor, Objective]]:
    """Yield an epoch of `(x (groups, batch, *features), objective)`, one group for each order.

    The first batches are left out if they are to be `skip`ped, and the orders drawn all the same.
    """
    n = len(x)
    if batch_size == 0 or batch_size >= n:
        if not skip:
            yield x.unsqueeze(0), objective
        return
    epoch = torch.stack([torch.randperm(n, generator=order) for order in orders]).to(x.device)
    for index in torch.split(epoch, batch_size, dim=1)[skip:]:
        yield x.index_select(0, index.flatten()).view(*index.shape, *x.shape[1:]), objective.take(index)


def _by_set(logits: Tensor, objective: Objective) -> Tensor:
    """View `(members, n_classes, batch)` as `(groups, sets, n_classes, batch)`."""
    return logits.view(-1, objective.sets, *logits.shape[1:])


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute on so many threads. On one thread denormal numbers count as 0.

    The moments of units that have died fall into denormals after some 800 steps, and arithmetic on those is
    many times slower. The processor's flag for it is one of each thread, so it is set where there is one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    torch.set_flush_denormal(number == 1)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Stop glibc from handing each large freed block back to the system.

    Activations and gradients of megabytes are freed and taken again at every step. glibc takes blocks
    above a threshold from the kernel and returns them at once, and the page faults then cost as much as
    the arithmetic. Without such blocks, and without trimming, they are reused (mallopt(3), M_MMAP_MAX
    and M_TRIM_THRESHOLD). Elsewhere this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1)):
            mallopt(parameter, value)
