"""Ensembles as one module: stacks of several models, whose probabilities are averaged.

Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep ensembles" (2017).
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from kdcli.models.family import Fitted, History
from kdcli.models.stack import Stack


class StackedEnsembles(Stack):
    """An ensemble for each member, made of `count` consecutive members of every stack."""

    def __init__(self, stacks: Sequence[Stack], counts: Sequence[int]) -> None:
        super().__init__()
        self.members = stacks[0].members // counts[0]
        self.piece = min(stack.piece for stack in stacks)
        self.stacks, self.counts = nn.ModuleList(stacks), tuple(counts)

    @property
    def _counted(self) -> list[tuple[int, Stack]]:
        return list(zip(self.counts, self.stacks, strict=True))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map `x (groups, batch, *features)` to log-probabilities `(members, n_classes, batch)`."""
        return log_mean([unflattened(stack(x), 0, count) for count, stack in self._counted], classes=-2)

    def predict(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        """Return log-probabilities `(members, n, n_classes)`; each stack has pieces of its own size."""
        predicted = [unflattened(stack.predict(x, index), 0, count) for count, stack in self._counted]
        return log_mean(predicted, classes=-1)

    def parameters_of(self, members: Sequence[int]) -> dict[str, Tensor]:
        """Return the tensors of some ensembles, in the form that `Ensemble.restore` takes."""
        tensors: dict[str, Tensor] = {}
        for number, (count, stack) in enumerate(self._counted):
            own = stack.parameters_of([member * count + k for member in members for k in range(count)])
            tensors |= {_name(number, name): unflattened(tensor, 0, count) for name, tensor in own.items()}
        return tensors

    def numbers(self) -> tuple[float, float]:
        """Return the size of an ensemble in numbers and in bytes: those of all its models."""
        each = [(count, *stack.numbers()) for count, stack in self._counted]
        return sum(count * n for count, n, _ in each), sum(count * size for count, _, size in each)


def log_mean(logits: Sequence[Tensor], classes: int) -> Tensor:
    """Return the logarithms of mean probabilities, float64, of logits that differ in the third last axis.

    The mean is over that axis of all logits together; `classes` is the axis of the classes, -1 or -2.
    """
    log_p = torch.cat([values.double().log_softmax(classes) for values in logits], -3)
    mean: Tensor = log_p.logsumexp(-3) - math.log(log_p.shape[-3])
    return mean


def joined(seeds: Sequence[int], counts: Sequence[int], trained: Sequence[Fitted]) -> Fitted:
    """Return the ensembles of these seeds; each of `trained` has `count` members for a seed.

    Tensors of a model have the axes `(draws, seeds, count, ...)`; curves are means over the members, if all
    have curves.
    """
    counted = list(zip(counts, trained, strict=True))
    used: dict[str, list[str]] = {}
    for fitted in trained:
        for name, value in fitted.used.items():
            used.setdefault(name, []).append(value)
    return Fitted(
        seeds=seeds,
        tensors={
            _name(number, name): unflattened(tensor, 1, count)
            for number, (count, fitted) in enumerate(counted)
            for name, tensor in fitted.tensors.items()
        },
        logits={
            split: log_mean(
                [unflattened(fitted.logits[split], 1, count) for count, fitted in counted], classes=-1
            )
            for split in trained[0].logits
        },
        seconds=sum(fitted.seconds for fitted in trained),
        history=_mean([(count, fitted.history) for count, fitted in counted]),
        used={name: ", ".join(dict.fromkeys(values)) for name, values in used.items()},
    )


def _mean(histories: Sequence[tuple[int, History | None]]) -> History | None:
    """Return the mean curves of each seed's members; None unless all have curves over the same epochs."""
    curves = [(count, history) for count, history in histories if history is not None]
    if len(curves) < len(histories) or any(
        not torch.equal(history.epochs, curves[0][1].epochs) for _, history in curves
    ):
        return None
    means = (
        torch.cat([unflattened(getattr(history, name), 1, count) for count, history in curves], 2).mean(2)
        for name in History._fields[1:]
    )
    return History(curves[0][1].epochs, *means)


def of_component(number: int, shape: tuple[int, int], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the members of one model in ensembles; `shape` is `(ensembles, count)`.

    Raises ValueError if the tensors have another shape.
    """
    start = _name(number, "")
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(start)}
    if odd := [name for name, tensor in own.items() if tuple(tensor.shape[:2]) != shape]:
        raise ValueError(f"{odd[0]} does not fit {shape[0]} ensembles with {shape[1]} such members")
    return {name.removeprefix(start): tensor.flatten(0, 1) for name, tensor in own.items()}


def unflattened(tensor: Tensor, axis: int, size: int) -> Tensor:
    """Split an axis into two, of which the second has this size."""
    return tensor.reshape(*tensor.shape[:axis], -1, size, *tensor.shape[axis + 1 :])


def _name(number: int, name: str) -> str:
    """Return the name of a model's tensor within the ensemble."""
    return f"{number}.{name}"
