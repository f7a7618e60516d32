"""The state of a training: everything that its later steps depend on, to resume with the same bits."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

from kdcli.training.curves import Curves
from kdcli.training.optimizer import Adam
from kdcli.training.selection import BestEpoch


class Keeper(Protocol):
    """Saves the state of a training, as named tensors on the CPU, to resume it after an interruption."""

    def load(self) -> Mapping[str, Tensor] | None:
        """Return the saved state of this training; None if there is none."""

    def due(self) -> bool:
        """Whether it is time to save the state again."""

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Save a state, replacing the last one."""


class TrainingState:
    """The state of a training: the `epoch`, the number of its `batches` done, and of all `steps` done.

    `orders` shuffle the examples of each epoch, `masks` draw the dropped activations. `best` keeps the
    parameters of the best epoch, if they are selected.
    """

    def __init__(
        self,
        optimizer: Adam,
        curves: Curves,
        orders: Sequence[Generator],
        masks: Sequence[Generator],
        best: BestEpoch | None = None,
    ) -> None:
        self.best = best
        self.optimizer = optimizer
        self.curves = curves
        self.orders = orders
        self.masks = masks
        self.epoch, self.batches, self.steps = 1, 0, 0
        self._orders_before: list[Tensor] = []  # at the start of the epoch

    def begin(self, epoch: int) -> None:
        """Begin an epoch, before its examples are shuffled."""
        self.epoch = epoch
        self._orders_before = [order.get_state() for order in self.orders]

    def advance(self) -> None:
        """Count a batch."""
        self.batches += 1
        self.steps += 1

    def tensors(self) -> dict[str, Tensor]:
        """Return the state as named tensors on the CPU."""
        return {
            **{name: value.cpu() for name, value in self.optimizer.state().items()},
            **{f"order.{k}": before for k, before in enumerate(self._orders_before)},
            **{f"mask.{k}": mask.get_state() for k, mask in enumerate(self.masks)},
            **{f"curve.{name}": value for name, value in self.curves.history()._asdict().items()},
            **(self.best.tensors() if self.best else {}),
            "at": torch.tensor([self.epoch, self.batches, self.steps]),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` returned; raises `DivergedError` for curves that are not finite."""
        self.optimizer.restore(tensors)
        for kind, streams in {"order": self.orders, "mask": self.masks}.items():
            for k, stream in enumerate(streams):
                stream.set_state(tensors[f"{kind}.{k}"])
        self.curves.restore(
            {name.removeprefix("curve."): v for name, v in tensors.items() if name.startswith("curve.")}
        )
        if self.best:
            self.best.restore(tensors)
        self.epoch, self.batches, self.steps = tensors["at"].tolist()
