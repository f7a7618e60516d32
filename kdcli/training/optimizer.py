"""The optimizer of networks: Adam, over all parameters as one tensor."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from kdcli.runs.recipe import Training


class Adam:
    """Adam (Kingma and Ba, 2015) with its usual constants, over PyTorch's own kernel for it.

    Constructing `torch.optim.Adam` imports the compiler, which takes as long as training a teacher; and for a
    small student, the code between it and the kernel takes longer than the kernel. All parameters are moved
    into one tensor and updated by one call; they become views of it. `gradients` are the buffers for their
    gradients.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training) -> None:
        all_parameters = list(parameters)
        self.learning_rate = training.learning_rate
        self.values = torch.cat([p.detach().flatten() for p in all_parameters])
        self.gradient = torch.zeros_like(self.values)
        self.mean = torch.zeros_like(self.values)
        self.square = torch.zeros_like(self.values)
        self.steps = torch.zeros((), device=self.values.device)
        sizes = [p.numel() for p in all_parameters]
        for parameter, view in zip(all_parameters, torch.split(self.values, sizes), strict=True):
            parameter.data = view.view_as(parameter)
        self.gradients = [
            view.view_as(parameter)
            for parameter, view in zip(all_parameters, torch.split(self.gradient, sizes), strict=True)
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
        """Restore what `state` returned."""
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
