import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdcli.errors import KdError
from kdcli.teachers.folds import group_folds, held_out, stratified_folds

LABELS = st.lists(st.integers(0, 3), min_size=10, max_size=60).map(torch.tensor)


@given(LABELS, st.integers(2, 10), st.integers(0, 5))
def test_folds_are_even_as_a_whole_and_in_each_class(y: torch.Tensor, count: int, seed: int) -> None:
    folds = stratified_folds(y, count, seed, draw=0)
    sizes = folds.bincount(minlength=count)
    assert int(sizes.max() - sizes.min()) <= 1
    for label in set(y.tolist()):
        of_class = folds[y == label].bincount(minlength=count)
        assert int(of_class.max() - of_class.min()) <= 1


def test_a_seed_and_a_draw_determine_the_folds() -> None:
    y = torch.arange(40) % 2
    first, again, other, of_draw = (
        stratified_folds(y, 5, seed, draw) for seed, draw in ((0, 0), (0, 0), (1, 0), (0, 1))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, of_draw)


def test_a_group_is_in_one_fold() -> None:
    group = torch.arange(60) % 12
    y = (group % 3 == 0).long()
    folds = group_folds(y, group, 4, seed=0, draw=0)
    assert sorted(set(folds.tolist())) == [0, 1, 2, 3]
    assert all(len(set(folds[group == k].tolist())) == 1 for k in range(12))


def test_fewer_groups_than_folds_are_refused() -> None:
    with pytest.raises(KdError, match="3 groups of training rows") as problem:
        group_folds(torch.arange(12) % 2, torch.arange(12) % 3, 5, 0, 0)
    assert problem.value.hint == "use at most --folds 3"


@given(st.integers(2, 6), st.integers(10, 40), st.integers(1, 3))
def test_every_row_of_every_draw_is_held_out_once_and_not_learned_from_then(
    count: int, n: int, draws: int
) -> None:
    folds = [stratified_folds(torch.arange(n) % 2, count, 0, draw) for draw in range(draws)]
    seen = torch.zeros(draws, n, dtype=torch.int64)
    for held in held_out(folds, count):
        assert held.apart.shape[1] + held.others.shape[1] == n
        for draw, apart, others in zip(held.draws, held.apart, held.others, strict=True):
            seen[draw, apart] += 1
            assert not set(apart.tolist()) & set(others.tolist())
    assert bool((seen == 1).all())
