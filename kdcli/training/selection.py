"""Selects the epoch with the best likelihood of the validation labels, for each member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from kdcli.models.stack import StackedNetwork
from kdcli.training.examples import Examples, evaluate


class BestEpoch:
    """Keeps the parameters with which each member of a stack had the best NLL of the validation labels.

    The NLL is measured at every point of the learning curves. Whatever its target, a member is selected by
    the labels, like a control.
    """

    def __init__(self, model: StackedNetwork, val: Examples) -> None:
        objective = val.objective
        labels = objective.labels.expand_as(objective.target[..., : val.objective.labels.shape[-1]])
        unsoftened = torch.ones_like(objective.temperature)
        self.model = model
        self.val = replace(
            val,
            objective=replace(
                objective, target=labels, temperature=unsoftened, label_weight=None, loss_name="kl"
            ),
        )
        self.nll = torch.full((model.members,), torch.inf, dtype=torch.float64)
        self.parameters = [parameter.detach().clone() for parameter in model.parameters()]

    @torch.no_grad()
    def look(self) -> None:
        """Keep the parameters of the members that are better than before."""
        nll, _ = evaluate(self.model, self.val)
        better = nll < self.nll
        self.nll[better] = nll[better]
        for kept, parameter in zip(self.parameters, self.model.parameters(), strict=True):
            kept[better] = parameter[better]

    @torch.no_grad()
    def take(self) -> None:
        """Copy the kept parameters into the model."""
        for kept, parameter in zip(self.parameters, self.model.parameters(), strict=True):
            parameter.copy_(kept)

    def tensors(self) -> dict[str, Tensor]:
        """Return the kept parameters and their NLL, as named tensors on the CPU."""
        kept = {f"best.{k}": parameter.cpu() for k, parameter in enumerate(self.parameters)}
        return {"best.nll": self.nll, **kept}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` returned."""
        self.nll.copy_(tensors["best.nll"])
        for k, parameter in enumerate(self.parameters):
            parameter.copy_(tensors[f"best.{k}"])
