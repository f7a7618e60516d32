import pytest
import torch

from kdcli.data.pool import SPLITS, Pool, joined
from kdcli.rng import generator


def pool_of_one(draw: int, *, posterior: bool = True) -> Pool:
    """Return ten examples in one draw, different for each draw."""
    random = generator("pool", 0, draw)
    p = torch.rand(10, 3, generator=random).double().softmax(1)
    train, val, test = torch.randperm(10, generator=random).split([5, 2, 3])
    return Pool(
        torch.randn(10, 2, generator=random),
        torch.randint(0, 3, (10,), generator=random),
        p if posterior else None,
        {"train": train[None], "val": val[None], "test": test[None]},
    )


def test_a_split_has_the_examples_of_its_draw() -> None:
    pool = Pool(
        x=torch.arange(12.0).view(6, 2),
        y=torch.tensor([0, 1, 2, 0, 1, 2]),
        posterior=torch.eye(6).double(),
        index={
            "train": torch.tensor([[0, 1], [3, 2]]),
            "val": torch.tensor([[2], [0]]),
            "test": torch.tensor([[5, 4], [4, 1]]),
        },
    )
    assert pool.draws == 2
    x, y, posterior = pool.split("train", 1)
    assert (x.tolist(), y.tolist()) == ([[6, 7], [4, 5]], [0, 2])
    assert posterior is not None
    assert posterior.argmax(1).tolist() == [3, 2]
    assert pool.labels("val").tolist() == [2]
    assert [pool.rows("test", draw).tolist() for draw in range(2)] == [[5, 4], [4, 1]]


def test_a_test_set_that_all_draws_share_is_that_of_each() -> None:
    pool = Pool(
        torch.arange(4.0).view(4, 1),
        torch.tensor([0, 1, 0, 1]),
        None,
        {
            "train": torch.tensor([[0], [1], [0]]),
            "val": torch.tensor([[1], [0], [1]]),
            "test": torch.tensor([[3, 2]]),
        },
    )
    assert pool.draws == 3
    for draw in range(3):
        assert pool.labels("test", draw).tolist() == [1, 0]
        assert pool.split("test", draw).posterior is None
    with pytest.raises(IndexError):
        pool.rows("train", 3)


@pytest.mark.parametrize("posterior", [True, False])
def test_joined_pools_have_each_example_once_and_the_draws_in_order(posterior: bool) -> None:
    pools = [pool_of_one(draw, posterior=posterior) for draw in range(3)]
    whole = joined(pools)
    assert whole.draws == 3
    assert torch.equal(whole.x, torch.cat([pool.x for pool in pools]))
    assert sorted(torch.cat([whole.index[split].flatten() for split in SPLITS]).tolist()) == list(range(30))
    for draw, pool in enumerate(pools):
        for split in SPLITS:
            mine, theirs = whole.split(split, draw), pool.split(split)
            assert torch.equal(mine.x, theirs.x)
            assert torch.equal(mine.y, theirs.y)
            assert (mine.posterior is not None) == posterior
            if mine.posterior is not None and theirs.posterior is not None:
                assert torch.equal(mine.posterior, theirs.posterior)
