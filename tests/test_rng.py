import torch

from kdcli.rng import generator, state


def test_streams_depend_on_purpose_and_seed() -> None:
    draws = [torch.rand(4, generator=generator(*name)) for name in (("a", 0), ("a", 0), ("a", 1), ("b", 0))]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[3])


def test_states_for_other_libraries_are_streams_too() -> None:
    assert state("a", 0) == state("a", 0)
    assert len({state("a", 0), state("a", 1), state("b", 0)}) == 3
    assert all(0 <= state("a", seed) < 2**32 for seed in range(100))
