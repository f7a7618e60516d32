"""Learning curves, recorded while a stack trains."""

import math
from collections.abc import Mapping
from typing import NamedTuple

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


class _Point(NamedTuple):
    """What is recorded after an epoch: as in `History`, of each member."""

    epoch: int
    train: Tensor
    val: Tensor
    train_accuracy: Tensor
    val_accuracy: Tensor


class Curves:
    """The losses and accuracies of each member at some epochs, on its training and on validation examples.

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
        self._points: list[_Point] = []

    def due(self, epoch: int) -> bool:
        """Whether the curves have a point at this epoch."""
        return epoch % math.ceil(self.epochs / CURVE_POINTS) == 0 or epoch == self.epochs

    def record(self, epoch: int) -> None:
        """Measure losses and accuracies after an epoch."""
        device = self.splits[0].x.device.type
        bfloat16 = self.precision == torch.bfloat16
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
            (train, train_accuracy), (val, val_accuracy) = (
                evaluate(self.model, examples) for examples in self.splits
            )
        self._add(_Point(epoch, train, val, train_accuracy, val_accuracy))

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the curves from the tensors of `history`."""
        history = History(**tensors)
        for k, epoch in enumerate(history.epochs.tolist()):
            self._add(_Point(epoch, *(curve[:, k] for curve in history[1:])))

    def _add(self, point: _Point) -> None:
        self._points.append(point)
        finite = point.train.isfinite()
        diverged = ~(finite & point.val.isfinite())
        self.all_diverged = bool(diverged.all())
        self.mean_loss = float(point.train[finite].mean())
        if not self.keep_going and bool(diverged.any()):
            raise DivergedError(point.epoch, diverged.nonzero().flatten().tolist())

    def history(self) -> History:
        """Return the curves so far."""
        nothing = torch.empty(self.model.members, 0, dtype=torch.float64)
        curves = (
            torch.cat([nothing, *(getattr(point, name).view(-1, 1) for point in self._points)], dim=1)
            for name in History._fields[1:]
        )
        return History(torch.tensor([point.epoch for point in self._points], dtype=torch.int64), *curves)
