import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdcli.data.stratified import stratified_split


@pytest.mark.parametrize("size", [0, 7, 10, 33, 100])
def test_a_stratified_split_has_the_size_asked_for_and_each_class_its_share(size: int) -> None:
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    rest, part = stratified_split(y, size, torch.Generator().manual_seed(0))
    assert sorted(torch.cat([rest, part]).tolist()) == list(range(100))
    assert len(part) == size
    counts = y[part].bincount(minlength=3)
    assert bool(((counts - size * torch.tensor([0.5, 0.3, 0.2])).abs() < 1).all())


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0, 1), st.integers(0, 9))
def test_no_class_has_more_than_one_row_too_many_or_too_few(
    labels: list[int], share: float, seed: int
) -> None:
    y = torch.tensor(labels)
    size = round(share * len(y))
    rest, part = stratified_split(y, size, torch.Generator().manual_seed(seed))
    assert sorted([*rest.tolist(), *part.tolist()]) == list(range(len(y)))
    assert len(part) == size
    exact = y.bincount().double() * size / len(y)
    assert bool(((y[part].bincount(minlength=len(exact)) - exact).abs() < 1).all())


def test_the_generator_decides_and_the_rows_are_shuffled() -> None:
    y = torch.arange(200) // 100
    one, again, other = (stratified_split(y, 50, torch.Generator().manual_seed(k))[0] for k in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert 0.3 < float((y[one][1:] != y[one][:-1]).double().mean()) < 0.7
