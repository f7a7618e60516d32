"""The one gradient training loop. It does not know which target it was given.

Teachers and students, one model or a stack of them, whole splits or batches: all pass here.
"""

import ctypes
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.optim.adam import adam

from kdcli.losses import Objective
from kdcli.models.stack import Stack

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names of glibc's malloc.h
CURVE_POINTS = 150  # a curve has at most about this many points, however many epochs there are

Report = Callable[[int, float | None], None]
"""Is told the epochs or trees done, and the mean training loss where there is one."""


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


def fit(
    model: Stack,
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
    report: Report = lambda epoch, loss: None,
    keeper: Keeper | None = None,
) -> History:
    """Train a stack with Adam and return its learning curves.

    `x_train (n, *features)` goes with `objective`, `x_val` with `val_objective`. A `batch_size` of 0
    takes the whole split at once; otherwise each of `orders` shuffles the batches of one group of
    members. The members' losses are summed, and Adam acts element by element, so each member is
    trained as it would be alone. With a `precision` of bfloat16 the matrix products are computed in it,
    while parameters, losses and updates stay in float32. With `decay` the step size falls to 0 linearly,
    step by step. All tensors are on the model's device.

    A `keeper` is given the state from time to time, and when the training is done. A training that starts
    from a state ends with the same bits as one that was never cut off: the state has everything that
    later steps depend on.

    Raises `DivergedError` as soon as a recorded loss is not finite. If it is to `keep_going` it goes on as
    long as a member is left, and the curves tell which have `diverged`: members do not touch each other, so
    the others end with the bits that they would have had.
    """
    keep_freed_memory()
    optimizer = Adam(model.parameters(), learning_rate)
    every = math.ceil(epochs / CURVE_POINTS)
    points: list[tuple[int, Tensor, Tensor]] = []

    def recorded(epoch: int) -> bool:
        return epoch % every == 0 or epoch == epochs

    def record(epoch: int) -> None:
        with _products_in(precision, x_train.device):
            train, val = evaluate(model, x_train, objective), evaluate(model, x_val, val_objective)
        points.append((epoch, train, val))
        stop_if_diverged(*points[-1])
        report(epoch, _mean_of_finite(train))

    def stop_if_diverged(epoch: int, train: Tensor, val: Tensor) -> None:
        lost = _lost(train, val)
        if bool(lost.any()) and not keep_going:
            raise DivergedError(epoch, lost.nonzero().flatten().tolist())

    taught = objective.by_example() if 0 < batch_size < len(x_train) else objective
    batches = math.ceil(len(x_train) / batch_size) if batch_size else 1
    steps = epochs * batches
    first, skip, done = 1, 0, 0
    generators = {"order": orders, "mask": model.generators}

    def draws() -> list[Tensor]:
        return [order.get_state() for order in orders]

    def state(epoch: int, taken: int, orders_before: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return all that later steps depend on, after so many batches of an epoch."""
        return {
            **{f"model.{name}": value.detach().cpu() for name, value in model.state_dict().items()},
            **{f"adam.{name}": value.cpu() for name, value in optimizer.state().items()},
            **{f"order.{k}": before for k, before in enumerate(orders_before)},
            **{f"mask.{k}": mask.get_state() for k, mask in enumerate(model.generators)},
            **{f"curve.{name}": value for name, value in _history(points, model.members)._asdict().items()},
            "at": torch.tensor([epoch, taken, done]),
        }

    kept = keeper.load() if keeper else None
    if kept and _fits(kept, state(1, 0, draws())) and _possible(kept, epochs, batches, recorded):
        model.load_state_dict({name: kept[f"model.{name}"] for name in model.state_dict()})
        optimizer.restore({name: kept[f"adam.{name}"] for name in optimizer.state()})
        for kind, streams in generators.items():
            for k, stream in enumerate(streams):
                stream.set_state(kept[f"{kind}.{k}"])
        curves = (kept["curve.epochs"].tolist(), kept["curve.train"].unbind(1), kept["curve.val"].unbind(1))
        points.extend(zip(*curves, strict=True))
        for point in points:
            stop_if_diverged(*point)
        first, skip, done = kept["at"].tolist()
        report(first - 1, _mean_of_finite(points[-1][1]))
    else:
        record(0)
    for epoch in range(first, epochs + 1):
        model.train()
        before = draws()
        for k, (x, batch) in enumerate(_batches(x_train, taught, batch_size, orders, skip), skip + 1):
            with _products_in(precision, x.device):
                logits = model(x).float()
            gradient = batch.gradient(_by_set(logits.detach(), batch))
            loss = _WithGradient.apply(logits, gradient.view_as(logits))  # type: ignore[no-untyped-call]
            if decay:
                optimizer.learning_rate = learning_rate * (1 - done / steps)
            done += 1
            optimizer.step(torch.autograd.grad(loss, optimizer.parameters))
            if keeper and keeper.due():
                keeper.save(state(epoch, k, before))
        skip = 0
        if recorded(epoch):
            record(epoch)
            if bool(_lost(*points[-1][1:]).all()):
                return _history(points, model.members)
    if keeper:
        keeper.save(state(epochs + 1, 0, draws()))
    return _history(points, model.members)


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


class _WithGradient(torch.autograd.Function):
    """A scalar whose gradient in the logits is the one given; the value itself is never needed.

    Handing the gradient to `torch.autograd.grad` directly would do the same, and import a computer
    algebra system on the way.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return logits.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        return ctx.gradient, None


class Adam:
    """Adam (Kingma and Ba, 2015) with its usual constants, over PyTorch's own update function.

    Constructing `torch.optim.Adam` imports the compiler, which takes as long as training a teacher;
    the function beneath it does not.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.mean = [torch.zeros_like(p) for p in self.parameters]
        self.square = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters]

    def state(self) -> dict[str, Tensor]:
        """Return the moments and step counts of all parameters, by name."""
        kinds = {"mean": self.mean, "square": self.square, "steps": self.steps}
        return {f"{kind}.{k}": value for kind, values in kinds.items() for k, value in enumerate(values)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over moments and step counts that `state` gave."""
        for name, value in self.state().items():
            value.copy_(state[name])

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update the parameters in place, one gradient for each."""
        adam(
            params=self.parameters,  # type: ignore[arg-type]
            grads=list(gradients),
            exp_avgs=self.mean,
            exp_avg_sqs=self.square,
            max_exp_avg_sqs=[],
            state_steps=self.steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


@torch.no_grad()
def evaluate(model: Stack, x: Tensor, objective: Objective) -> Tensor:
    """Return the loss of each member on a whole split, `(members,)` float64, in evaluation mode."""
    model.eval()
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, len(x), model.chunk):
        some = x[start : start + model.chunk]
        part = objective.part(start, start + len(some))
        logits = _by_set(model(some.unsqueeze(0)).float(), part)
        total = total + part.loss(logits).double().cpu() * len(some)
    return (total / len(x)).flatten()


@torch.no_grad()
def predict(model: Stack, x: Tensor) -> Tensor:
    """Return logits of every member, `(members, n, n_classes)`, in evaluation mode."""
    model.eval()
    parts = [model(part.unsqueeze(0)).mT for part in torch.split(x, model.chunk)]
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
