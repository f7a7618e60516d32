"""Where and in which precision a network is trained, chosen for the hardware at hand."""

import torch

from kdcli.errors import KdError

LARGE = 1_000_000  # parameters from which on matrix products take most of the time


def choose_device(asked: str) -> torch.device:
    """Return the device asked for; "auto" is a graphics card where there is one. Raises `KdError`."""
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise KdError("PyTorch finds no graphics card", "leave out --device, or name --device cpu")
    return torch.device("cuda" if available and asked != "cpu" else "cpu")


def precision_for(asked: str, parameters: int, device: torch.device) -> torch.dtype:
    """Return the precision asked for; "auto" is bfloat16 where it is faster.

    That is where the hardware multiplies in it, and for models large enough that the products outweigh
    the conversions.
    """
    if asked != "auto":
        return torch.bfloat16 if asked == "bfloat16" else torch.float32
    return torch.bfloat16 if parameters >= LARGE and multiplies_in_bfloat16(device) else torch.float32


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bfloat16, or PyTorch knows of none that does."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if not hasattr(torch.cpu, "get_capabilities"):  # older PyTorch does not tell
        return False
    return any(has and "bf16" in name for name, has in torch.cpu.get_capabilities().items())
