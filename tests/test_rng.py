import torch

from kdcli.rng import generator


def test_streams_depend_on_purpose_and_seed() -> None:
    draws = [torch.rand(4, generator=generator(*name)) for name in (("a", 0), ("a", 0), ("a", 1), ("b", 0))]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[3])
