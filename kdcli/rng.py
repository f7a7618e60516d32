"""Independent random streams, each named by what it is for.

A stream depends on its name alone: the student of seed 3 starts from the same weights
whatever is trained beside it, and seed 3 of the data is unrelated to seed 3 of a student.
"""

import hashlib

import torch


def generator(purpose: str, seed: int) -> torch.Generator:
    """Return the CPU generator of the stream `purpose` of `seed`."""
    return torch.Generator().manual_seed(int.from_bytes(_digest(purpose, seed)[:8], "big", signed=True))


def state(purpose: str, seed: int) -> int:
    """Return 32 bits that start the stream `purpose` of `seed` in a library with generators of its own."""
    return int.from_bytes(_digest(purpose, seed)[:4], "big")


def _digest(purpose: str, seed: int) -> bytes:
    return hashlib.sha256(f"{purpose}/{seed}".encode()).digest()
