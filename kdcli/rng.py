"""Independent random streams, each named by what it is for.

A stream depends on its name alone: the student of seed 3 starts from the same weights
whatever is trained beside it, and seed 3 of the data is unrelated to seed 3 of a student.
"""

import hashlib

import torch


def generator(purpose: str, seed: int) -> torch.Generator:
    """Return the CPU generator of the stream `purpose` of `seed`."""
    digest = hashlib.sha256(f"{purpose}/{seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
