"""Independent random streams, each named by its purpose.

A stream depends only on its name: the student of seed 3 starts from the same weights
whatever is trained with it, and seed 3 of the data is unrelated to seed 3 of a student.
Each draw of the data has streams of its own.
"""

import hashlib

import torch


def generator(purpose: str, seed: int, draw: int = 0) -> torch.Generator:
    """Return the CPU generator of the stream named `purpose`, for this seed and draw."""
    digest = _digest(purpose, seed, draw)
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))


def state(purpose: str, seed: int, draw: int = 0) -> int:
    """Return a 32-bit seed of the stream `purpose`, for a library with generators of its own."""
    return int.from_bytes(_digest(purpose, seed, draw)[:4], "big")


def _digest(purpose: str, seed: int, draw: int) -> bytes:
    of_draw = f"/draw {draw}" if draw else ""
    return hashlib.sha256(f"{purpose}/{seed}{of_draw}".encode()).digest()
