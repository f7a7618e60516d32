"""The state of a training: all that its later steps depend on, to be resumed with the same bits."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

from kdcli.training.curves import Curves
from kdcli.training.optimizer import Adam
from kdcli.training.selection import BestEpoch


class Keeper(Protocol):
    """Keeps the state of a training, as named tensors on the CPU, to resume from if it is interrupted."""

    def load(self) -> Mapping[str, Tensor] | None:
        """Return the state that was kept of this very training; None if there is none."""

    def due(self) -> bool:
        """Whether it is time to keep the state again."""

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Keep a state in place of the last."""


class TrainingState:
    """Where a training is: in `epoch`, after so many `batches` of it and `steps` in all.

    `orders` shuffle the examples of each epoch, `masks` draw the activations that are dropped. The parameters
    of the `best` epoch are kept where they are wanted.
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
        """Go on from what `tensors` returned; raises `DivergedError` for curves that are not finite."""
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
