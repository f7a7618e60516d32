"""Models: one file per family, and the dict that names them.

A model is written `family:arguments`, such as "mlp:64,64". The command line reads MODELS for its
help, so torch is imported inside the functions.
"""

from types import MappingProxyType

from kdcli.errors import UsageError, unknown
from kdcli.models.mlp import MLP
from kdcli.models.tree import Tree

__all__ = ["MLP", "MODELS", "SYNTAX", "Tree", "parse_model", "parse_network"]

MODELS: MappingProxyType[str, type[MLP] | type[Tree]] = MappingProxyType({"mlp": MLP, "tree": Tree})

SYNTAX = "; or as ".join(family.SYNTAX for family in MODELS.values())


def parse_model(text: str) -> MLP | Tree:
    """Parse a model such as "mlp:64,64"; raises `UsageError` saying how its family is written."""
    family, _, arguments = text.partition(":")
    if family not in MODELS:
        raise unknown("model", family, MODELS, f"Write it as {SYNTAX}")
    try:
        return MODELS[family].parse(arguments)
    except ValueError as error:
        raise UsageError(f"model '{text}': {error}", f"write it as {MODELS[family].SYNTAX}") from None


def parse_network(text: str) -> MLP:
    """Parse a model that is trained by gradients, as a teacher is; raises `UsageError` for any other."""
    model = parse_model(text)
    if isinstance(model, Tree):
        networks = "; or as ".join(family.SYNTAX for family in MODELS.values() if family is not Tree)
        raise UsageError(
            f"a teacher is trained by gradients, which '{text}' is not", f"write it as {networks}"
        )
    return model
