"""Models: one file for each family, the stacks that they build, and the dict that names the families.

A model is written `family:arguments`, such as "mlp:64,64". The command line reads FAMILIES for its
help, so torch is imported inside the functions.
"""

from types import MappingProxyType

from kdcli.errors import UsageError, unknown
from kdcli.models.cnn import CNN
from kdcli.models.family import Model
from kdcli.models.forest import Forest
from kdcli.models.gbdt import Gbdt
from kdcli.models.linear import Linear
from kdcli.models.mlp import MLP
from kdcli.models.tree import Tree

__all__ = ["FAMILIES", "SEEDS", "SYNTAX", "Model", "parse_model"]

FAMILIES: MappingProxyType[str, type[Model]] = MappingProxyType(
    {"mlp": MLP, "cnn": CNN, "linear": Linear, "tree": Tree, "forest": Forest, "gbdt": Gbdt}
)

SEEDS = "; ".join(
    f"{varied} ({', '.join(names)})"
    for varied, names in {
        family.SEEDS: [name for name, other in FAMILIES.items() if other.SEEDS == family.SEEDS]
        for family in FAMILIES.values()
    }.items()
)
"""What the seeds of students vary, by family."""

SYNTAX = "; or as ".join(family.SYNTAX for family in FAMILIES.values())


def parse_model(text: str) -> Model:
    """Parse a model such as "mlp:64,64"; raises `UsageError` saying how its family is written."""
    family, _, arguments = text.partition(":")
    if family not in FAMILIES:
        raise unknown("model", family, FAMILIES, f"Write it as {SYNTAX}")
    try:
        return FAMILIES[family].parse(arguments)
    except ValueError as error:
        raise UsageError(f"model '{text}': {error}", f"write it as {FAMILIES[family].SYNTAX}") from None
