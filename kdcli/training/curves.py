"""Learning curves, recorded while a stack trains."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from kdcli.models.family import History
from kdcli.models.stack import Stack
from kdcli.training.examples import Examples, evaluate

CURVE_POINTS = 150  # a curve has at most about this many points, however many epochs there are


class DivergedError(Exception):
    """The loss of some members became non-finite."""

    def __init__(self, epoch: int, members: list[int]) -> None:
        super().__init__(f"non-finite loss at epoch {epoch} in members {members}")
        self.epoch = epoch
        self.members = members


class Curves:
    """The losses of each member at some epochs, on its training examples and on validation examples.

    A non-finite loss raises `DivergedError`, unless `keep_going`.
    """

    def __init__(
        self,
        model: Stack,
        train: Examples,
        val: Examples,
        epochs: int,
        precision: torch.dtype,
        *,
        keep_going: bool,
    ) -> None:
        self.model = model
        self.splits = train, val
        self.epochs = epochs
        self.precision = precision
        self.keep_going = keep_going
        self.mean_loss: float | None = None  # recorded last, of the members whose loss is finite
        self.all_diverged = False
        self._points: list[tuple[int, Tensor, Tensor]] = []

    def due(self, epoch: int) -> bool:
        """Whether the curves have a point at this epoch."""
        return epoch % math.ceil(self.epochs / CURVE_POINTS) == 0 or epoch == self.epochs

    def record(self, epoch: int) -> None:
        """Measure the losses after an epoch."""
        device = self.splits[0].x.device.type
        bfloat16 = self.precision == torch.bfloat16
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
            train, val = (evaluate(self.model, examples) for examples in self.splits)
        self._add(epoch, train, val)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the curves from the tensors of `history`."""
        history = History(**tensors)
        points = zip(history.epochs.tolist(), history.train.unbind(1), history.val.unbind(1), strict=True)
        for epoch, train, val in points:
            self._add(epoch, train, val)

    def _add(self, epoch: int, train: Tensor, val: Tensor) -> None:
        self._points.append((epoch, train, val))
        finite = train.isfinite()
        diverged = ~(finite & val.isfinite())
        self.all_diverged = bool(diverged.all())
        self.mean_loss = float(train[finite].mean())
        if not self.keep_going and bool(diverged.any()):
            raise DivergedError(epoch, diverged.nonzero().flatten().tolist())

    def history(self) -> History:
        """Return the curves so far."""
        nothing = torch.empty(self.model.members, 0, dtype=torch.float64)
        return History(
            epochs=torch.tensor([epoch for epoch, _, _ in self._points], dtype=torch.int64),
            train=torch.cat([nothing, *(train.view(-1, 1) for _, train, _ in self._points)], dim=1),
            val=torch.cat([nothing, *(val.view(-1, 1) for _, _, val in self._points)], dim=1),
        )
