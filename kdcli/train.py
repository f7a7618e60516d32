"""The one gradient training loop. It does not know which target it was given.

Teachers and students, one model or a stack of them, whole splits or batches: all pass here.
"""

import ctypes
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim.adam import adam

from kdcli.losses import Objective
from kdcli.models.stack import Stack

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names of glibc's malloc.h
CURVE_POINTS = 150  # a curve has at most about this many points, however many epochs there are

Report = Callable[[int, float | None], None]
"""Is told the epochs or trees done, and the mean training loss where there is one."""


@dataclass(frozen=True)
class History:
    """Learning curves, each loss measured in evaluation mode on its whole split.

    epochs (points,) int64; train and val (members, points) float64, in nats.
    """

    epochs: Tensor
    train: Tensor
    val: Tensor


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
    report: Report = lambda epoch, loss: None,
) -> History:
    """Train a stack with Adam and return its learning curves.

    `x_train (n, *features)` goes with `objective`, `x_val` with `val_objective`. A `batch_size` of 0
    takes the whole split at once; otherwise each of `orders` shuffles the batches of one group of
    members. The members' losses are summed, and Adam acts element by element, so each member is
    trained as it would be alone. With a `precision` of bfloat16 the matrix products are computed in it,
    while parameters, losses and updates stay in float32. With `decay` the step size falls to 0 linearly,
    step by step. All tensors are on the model's device. Raises
    `DivergedError` as soon as a recorded loss is not finite.
    """
    keep_freed_memory()
    optimizer = Adam(model.parameters(), learning_rate)
    every = math.ceil(epochs / CURVE_POINTS)
    points: list[tuple[int, Tensor, Tensor]] = []

    def record(epoch: int) -> None:
        with _products_in(precision, x_train.device):
            train, val = evaluate(model, x_train, objective), evaluate(model, x_val, val_objective)
        points.append((epoch, train, val))
        finite = train.isfinite() & val.isfinite()
        if not bool(finite.all()):
            raise DivergedError(epoch, (~finite).nonzero().squeeze(1).tolist())
        report(epoch, float(train.mean()))

    record(0)
    taught = objective.by_example() if 0 < batch_size < len(x_train) else objective
    steps = epochs * (math.ceil(len(x_train) / batch_size) if batch_size else 1)
    done = 0
    for epoch in range(1, epochs + 1):
        model.train()
        for x, batch in _batches(x_train, taught, batch_size, orders):
            with _products_in(precision, x.device):
                logits = model(x).float()
            gradient = batch.gradient(_by_set(logits.detach(), batch))
            loss = _WithGradient.apply(logits, gradient.view_as(logits))  # type: ignore[no-untyped-call]
            if decay:
                optimizer.learning_rate = learning_rate * (1 - done / steps)
            done += 1
            optimizer.step(torch.autograd.grad(loss, optimizer.parameters))
        if epoch % every == 0 or epoch == epochs:
            record(epoch)

    return History(
        epochs=torch.tensor([epoch for epoch, _, _ in points]),
        train=torch.stack([train for _, train, _ in points], dim=1),
        val=torch.stack([val for _, _, val in points], dim=1),
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
    x: Tensor, objective: Objective, batch_size: int, orders: Sequence[Generator]
) -> Iterator[tuple[Tensor, Objective]]:
    """Yield one epoch of `(x (groups, batch, *features), objective)`, one group for each order."""
    n = len(x)
    if batch_size == 0 or batch_size >= n:
        yield x.unsqueeze(0), objective
        return
    epoch = torch.stack([torch.randperm(n, generator=order) for order in orders]).to(x.device)
    for index in torch.split(epoch, batch_size, dim=1):
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
