"""Models: one file per family, and the dict that names them.

A model is written `family:arguments`, such as "mlp:64,64". The command line reads MODELS for its
help, so torch is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from kdcli.errors import UsageError, unknown
from kdcli.models.cnn import CNN
from kdcli.models.mlp import MLP
from kdcli.models.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import Stack

__all__ = [
    "CNN",
    "MLP",
    "MODELS",
    "SYNTAX",
    "Model",
    "Network",
    "Tree",
    "parse_model",
    "parse_network",
    "restore",
]

Network: TypeAlias = MLP | CNN
Model: TypeAlias = Network | Tree

MODELS: MappingProxyType[str, type[Model]] = MappingProxyType({"mlp": MLP, "cnn": CNN, "tree": Tree})

SYNTAX = "; or as ".join(family.SYNTAX for family in MODELS.values())
NETWORK_SYNTAX = "; or as ".join(family.SYNTAX for family in MODELS.values() if family is not Tree)


def parse_model(text: str) -> Model:
    """Parse a model such as "mlp:64,64"; raises `UsageError` saying how its family is written."""
    family, _, arguments = text.partition(":")
    if family not in MODELS:
        raise unknown("model", family, MODELS, f"Write it as {SYNTAX}")
    try:
        return MODELS[family].parse(arguments)
    except ValueError as error:
        raise UsageError(f"model '{text}': {error}", f"write it as {MODELS[family].SYNTAX}") from None


def parse_network(text: str) -> Network:
    """Parse a model that is trained by gradients, as a teacher is; raises `UsageError` for any other."""
    model = parse_model(text)
    if isinstance(model, Tree):
        raise UsageError(
            f"a teacher is trained by gradients, which '{text}' is not", f"write it as {NETWORK_SYNTAX}"
        )
    return model


def restore(
    model: Model, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
) -> Stack:
    """Build the stack that has these stored tensors; raises ValueError if they do not fit the model."""
    if isinstance(model, Tree):
        from kdcli.models import stacked_trees

        return stacked_trees.restore(tensors, math.prod(features), n_classes, members)
    # Before memory is taken for what the model claims to be.
    claimed, there = members * model.parameters(features, n_classes), sum(t.numel() for t in tensors.values())
    if claimed != there:
        raise ValueError(f"parameters that do not fit {model}: {there:,} numbers, not {claimed:,}")
    stack = model.build(features, n_classes, members)
    try:
        stack.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise ValueError(f"parameters that do not fit {model}: {error}") from None
    return stack
