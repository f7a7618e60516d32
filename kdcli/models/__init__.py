"""Models: one file for each family, the stacks that they build, and the dict that names the families.

A model is written `family:arguments`, such as "mlp:64,64", and an ensemble of models, which only a teacher
may be, as "5*mlp:64,64+gbdt". The command line reads FAMILIES for its help, so torch is imported inside the
functions.
"""

from types import MappingProxyType

from kdcli.errors import UsageError, unknown
from kdcli.models.cnn import CNN
from kdcli.models.ensemble import MOST_MEMBERS, Ensemble
from kdcli.models.family import Model
from kdcli.models.forest import Forest
from kdcli.models.gbdt import Gbdt
from kdcli.models.linear import Linear
from kdcli.models.mlp import MLP
from kdcli.models.tree import Tree

__all__ = ["FAMILIES", "SEEDS", "SYNTAX", "TEACHERS", "Model", "parse_model", "parse_teacher"]

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
TEACHERS = f"{SYNTAX}; or as an ensemble, whose probabilities are averaged: {Ensemble.SYNTAX}"


def parse_teacher(text: str, times: int = 1) -> Model:
    """Parse a model or an ensemble such as "5*mlp:64,64+gbdt", with each count multiplied by `times`.

    Raises `UsageError` as `parse_model` does, and for counts that are wrong or given in both ways.
    """
    if times > 1 and "*" in text:
        raise UsageError(
            f"model '{text}' has counts, but --ensemble {times} is given too",
            "give counts in one way: with --ensemble, or in the model with --ensemble 1",
        )
    counted = [(count * times, model) for count, model in map(_counted, text.split("+"))]
    try:
        return Ensemble.of(counted)
    except ValueError as error:
        raise UsageError(f"model '{text}': {error}", f"write it as {Ensemble.SYNTAX}") from None


def _counted(text: str) -> tuple[int, Model]:
    """Parse a model of an ensemble with the count in front of it, if there is one."""
    count, star, model = text.rpartition("*")
    if not star:
        return 1, parse_model(model)
    if not (count.isascii() and count.isdigit() and len(count) <= 3 and 1 <= int(count) <= MOST_MEMBERS):
        raise UsageError(
            f"model '{text}': a count must be a whole number from 1 to {MOST_MEMBERS}, not '{count}'",
            f"write it as {Ensemble.SYNTAX}",
        )
    return int(count), parse_model(model)


def parse_model(text: str) -> Model:
    """Parse a model such as "mlp:64,64"; raises `UsageError` saying how its family is written."""
    if "+" in text or "*" in text:
        raise UsageError(f"model '{text}' is an ensemble, which only a teacher can be", "name a single model")
    family, _, arguments = text.partition(":")
    if family not in FAMILIES:
        raise unknown("model", family, FAMILIES, f"Write it as {SYNTAX}")
    try:
        return FAMILIES[family].parse(arguments)
    except ValueError as error:
        raise UsageError(f"model '{text}': {error}", f"write it as {FAMILIES[family].SYNTAX}") from None
