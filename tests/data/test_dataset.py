from itertools import chain, product
from typing import Any

import pytest
import torch
from data.made import own
from harness import small_mnist

from kdcli.data import DATASETS, SPLITS, Pool, Sample, find_dataset
from kdcli.data.dataset import (
    Sampling,
    sampled_points,
    sampled_pool,
    sampling_problems,
)
from kdcli.errors import UsageError

SMALL: dict[str, dict[str, Any]] = {
    "gaussians": {"n_samples": 100, "n_test": 50},
    "moons": {"n_samples": 100, "n_test": 50},
    "mnist": {"n_val": 50},
}
SIZES = {
    "digits": 1797,
    "mnist": 260,
    "breast-cancer": 569,
    "wine": 178,
    **dict.fromkeys(("table", "arrays", "images"), 60),
}


def sampled(name: str, **options: Any) -> Sample:
    """Return a small sample of a dataset."""
    dataset = find_dataset(name)
    files = (small_mnist(),) if dataset.files else ()
    settings = own(name) if dataset.opened else SMALL.get(name, {})
    return dataset.sample(dataset.config(**{**settings, **options}), *files)


def equal(one: Pool, other: Pool) -> bool:
    """Whether two pools have the same examples, and the same splits of each draw."""
    return (
        torch.equal(one.x, other.x)
        and torch.equal(one.y, other.y)
        and (one.posterior is None) == (other.posterior is None)
        and (one.posterior is None or other.posterior is None or torch.equal(one.posterior, other.posterior))
        and all(torch.equal(one.index[split], other.index[split]) for split in SPLITS)
    )


def first_draws(pool: Pool, draws: int, examples: int) -> Pool:
    """Return the first draws and examples of a pool."""
    posterior = None if pool.posterior is None else pool.posterior[:examples]
    index = {split: rows[:draws] for split, rows in pool.index.items()}
    return Pool(pool.x[:examples], pool.y[:examples], posterior, index)


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_keeps_the_contract(name: str) -> None:
    dataset = find_dataset(name)
    sample = sampled(name, draws=2)
    pool = sample.pool
    assert tuple(pool.index) == SPLITS
    assert sample.feature_names == () or pool.x.shape[1:] == (len(sample.feature_names),)
    assert pool.x.dtype in (torch.float32, torch.uint8)
    assert pool.y.dtype == torch.int64
    assert all(rows.dtype == torch.int64 for rows in pool.index.values())
    for draw, name_of_split in product(range(2), SPLITS):
        split = pool.split(name_of_split, draw)
        assert set(split.y.tolist()) == set(range(len(sample.classes)))
        assert (split.posterior is None) == (dataset.posterior is None)
        if dataset.posterior and split.posterior is not None:
            assert split.posterior.dtype == torch.float64
            torch.testing.assert_close(split.posterior.sum(1), torch.ones(len(split.y)).double())
            assert torch.equal(dataset.posterior(dataset.config(), split.x), split.posterior)


@pytest.mark.parametrize("name", DATASETS)
def test_each_draw_has_every_example_that_it_may_have_once_and_the_pool_has_no_copies(name: str) -> None:
    pool, drawing = sampled(name, draws=3).pool, find_dataset(name).drawing
    whole = list(range(len(pool.y)))
    draws = [torch.cat([pool.rows(split, draw) for split in SPLITS]).tolist() for draw in range(3)]
    if drawing == "sampled":  # each draw has examples of its own
        assert len(whole) == 3 * 150
        assert len(torch.unique(pool.x, dim=0)) == len(whole)
        assert sorted(chain(*draws)) == whole
    else:  # each draw has all of them
        assert len(whole) == SIZES[name]
        assert all(sorted(rows) == whole for rows in draws)
    assert {split: len(rows) for split, rows in pool.index.items()} == {
        "train": 3,
        "val": 3,
        "test": 1 if drawing == "test kept" else 3,
    }
    assert pool.draws == 3


@pytest.mark.parametrize("name", DATASETS)
def test_draws_differ_in_all_but_a_test_set_that_is_kept(name: str) -> None:
    pool, kept = sampled(name, draws=3).pool, find_dataset(name).drawing == "test kept"
    for one, other in ((0, 1), (0, 2), (1, 2)):
        for split in SPLITS:
            same = torch.equal(pool.split(split, one).x, pool.split(split, other).x)
            assert same == (kept and split == "test")


@pytest.mark.parametrize("name", DATASETS)
def test_draw_0_is_the_only_draw_of_one_bit_by_bit(name: str) -> None:
    alone, several = sampled(name, draws=1).pool, sampled(name, draws=3).pool
    assert (alone.draws, several.draws) == (1, 3)
    assert equal(first_draws(several, 1, len(alone.y)), alone)


@pytest.mark.parametrize("name", DATASETS)
def test_more_draws_begin_with_those_of_fewer(name: str) -> None:
    two, three = sampled(name, draws=2).pool, sampled(name, draws=3).pool
    assert equal(first_draws(three, 2, len(two.y)), two)


@pytest.mark.parametrize("name", DATASETS)
def test_the_seed_decides_every_draw(name: str) -> None:
    first, again, other = (sampled(name, seed=seed, draws=2).pool for seed in (1, 1, 2))
    assert equal(first, again)
    for draw in range(2):
        assert not torch.equal(first.split("train", draw).x, other.split("train", draw).x)


@pytest.mark.parametrize("name", ["gaussians", "moons"])
def test_sampled_splits_are_balanced_shuffled_and_apart(name: str) -> None:
    config = find_dataset(name).config()
    pool = find_dataset(name).sample(config).pool
    sizes = {split: rows.shape[1] for split, rows in pool.index.items()}
    assert sizes == {"train": 0.8 * config.n_samples, "val": 0.2 * config.n_samples, "test": 20_000}
    for split in SPLITS:
        y = pool.labels(split)
        assert y.double().mean() == 0.5
        changes = int((y[1:] != y[:-1]).sum())
        assert 0.4 < changes / len(y) < 0.6  # shuffled: neither sorted nor alternating
    assert len(torch.unique(pool.x, dim=0)) == config.n_samples + config.n_test


@pytest.mark.parametrize("name", ["gaussians", "moons"])
def test_every_draw_is_as_balanced_as_the_first(name: str) -> None:
    pool = sampled(name, draws=3).pool
    for draw in range(3):
        counts = [pool.labels(split, draw).bincount().tolist() for split in SPLITS]
        assert counts == [[40, 40], [10, 10], [25, 25]]


def test_the_points_to_be_sampled_are_counted() -> None:
    assert sampled_points(Sampling(draws=7, n_samples=30, n_test=5)) == {"n_samples": 30, "n_test": 5}


def test_a_split_without_a_class_is_a_problem() -> None:
    assert sampling_problems(Sampling()) == []
    assert "leave a split" in sampling_problems(Sampling(n_samples=4, val_fraction=0.1))[0]
    assert sampling_problems(Sampling(n_samples=8, val_fraction=0.25, n_test=3)) == []
    few, no_test = sampling_problems(Sampling(n_samples=8, val_fraction=0.25, n_test=3), n_classes=4)
    assert "one of the 4 classes" in few
    assert "3 test examples" in no_test


def test_sampled_splits_of_several_named_classes_are_stratified_in_every_draw() -> None:
    asked: list[tuple[int, str, int]] = []

    def points(n: int, stream: str, draw: int) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append((n, stream, draw))
        return torch.arange(n * 4.0).view(n, 4) + 10_000 * draw, torch.arange(n) % 3

    classes, features = ("a", "b", "c"), ("w", "x", "y", "z")
    config = Sampling(draws=2, n_samples=302, val_fraction=0.1, n_test=9)
    sample = sampled_pool(
        config, "demo", points, lambda x: torch.ones(len(x), 3).double() / 3, classes, features
    )
    assert (sample.classes, sample.feature_names) == (classes, features)
    assert asked == [(302, "demo", 0), (9, "demo/test", 0), (302, "demo", 1), (9, "demo/test", 1)]
    for draw in range(2):
        splits = {name: sample.pool.split(name, draw) for name in SPLITS}
        counts = {name: split.y.bincount().tolist() for name, split in splits.items()}
        assert counts == {"train": [91, 91, 90], "val": [10, 10, 10], "test": [3, 3, 3]}
        assert all(set((split.x // 10_000).flatten().tolist()) == {draw} for split in splits.values())
    first, second = (sample.pool.split("train", draw).x for draw in range(2))
    assert not torch.equal(first, second % 10_000)  # the same points are split differently in each draw


def test_unknown_dataset() -> None:
    with pytest.raises(UsageError, match=r"no dataset 'moon'; did you mean moons\?"):
        find_dataset("moon")
