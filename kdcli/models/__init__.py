"""Models: one file per family, and the dict that names them.

A model is written `family:arguments`, such as "mlp:64,64". The command line reads MODELS for its
help, so torch is imported inside the functions.
"""

from types import MappingProxyType

from kdcli.errors import UsageError, unknown
from kdcli.models.mlp import MLP

__all__ = ["MLP", "MODELS", "parse_model"]

MODELS = MappingProxyType({"mlp": MLP})


def parse_model(text: str) -> MLP:
    """Parse a model such as "mlp:64,64"; raises `UsageError` saying how its family is written."""
    family, _, arguments = text.partition(":")
    if family not in MODELS:
        raise unknown("model", family, MODELS, "Write it as " + ", ".join(m.SYNTAX for m in MODELS.values()))
    try:
        return MODELS[family].parse(arguments)
    except ValueError as error:
        raise UsageError(f"model '{text}': {error}", f"write it as {MODELS[family].SYNTAX}") from None
