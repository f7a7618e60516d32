"""The device and the precision for training a network, chosen for the available hardware."""

import torch

from kdcli.errors import KdError

LARGE = 1_000_000  # parameters; in larger networks, matrix products take most of the time


def choose_device(asked: str) -> torch.device:
    """Return the requested device; "auto" is a GPU if there is one. Raises `KdError` if it is missing."""
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise KdError("PyTorch finds no GPU", "leave out --device, or use --device cpu")
    return torch.device("cuda" if available and asked != "cpu" else "cpu")


def precision_for(asked: str, parameters: int, device: torch.device) -> torch.dtype:
    """Return the requested precision; "auto" is bfloat16 where it is faster.

    It is faster on hardware that multiplies in bfloat16, for models so large that products outweigh the
    conversions.
    """
    if asked != "auto":
        return torch.bfloat16 if asked == "bfloat16" else torch.float32
    return torch.bfloat16 if parameters >= LARGE and multiplies_in_bfloat16(device) else torch.float32


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bfloat16, as far as PyTorch can tell."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if not hasattr(torch.cpu, "get_capabilities"):  # missing in older versions of PyTorch
        return False
    return any(has and "bf16" in name for name, has in torch.cpu.get_capabilities().items())
