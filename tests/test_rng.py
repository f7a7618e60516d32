import hashlib
from itertools import product

import torch

from kdcli.rng import generator, state

NAMES = list(product(("a", "b"), range(3), range(3)))  # purposes, seeds and draws


def test_streams_depend_on_purpose_seed_and_draw() -> None:
    streams = {name: torch.rand(4, generator=generator(*name)) for name in NAMES}
    assert len({tuple(numbers.tolist()) for numbers in streams.values()}) == len(NAMES)
    for name, numbers in streams.items():
        assert torch.equal(numbers, torch.rand(4, generator=generator(*name)))


def test_states_for_other_libraries_are_streams_too() -> None:
    assert state("a", 0) == state("a", 0)
    assert len({state(*name) for name in NAMES}) == len(NAMES)
    assert all(0 <= state("a", seed) < 2**32 for seed in range(100))


def test_draw_0_has_the_streams_that_are_named_without_a_draw() -> None:
    named = hashlib.sha256(b"a/3").digest()
    for stream in (generator("a", 3), generator("a", 3, 0)):
        assert stream.initial_seed() == int.from_bytes(named[:8], "big")
    assert state("a", 3) == state("a", 3, 0) == int.from_bytes(named[:4], "big")
