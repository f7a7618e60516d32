import pytest
import torch
from harness import small_mnist

from kdcli.data import DATASETS, SPLITS, find_dataset
from kdcli.data.dataset import Sampling, sampled_splits, sampling_problems, stratified_split
from kdcli.errors import UsageError


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_keeps_the_contract(name: str) -> None:
    dataset = find_dataset(name)
    if dataset.files:
        config = dataset.config(n_val=50)
        sample = dataset.sample(config, small_mnist())
    else:
        config = dataset.config()
        sample = dataset.sample(config)
    splits = sample.splits
    assert tuple(splits) == SPLITS
    assert sample.feature_names == () or splits["train"].x.shape[1:] == (len(sample.feature_names),)
    for split in splits.values():
        assert split.x.dtype in (torch.float32, torch.uint8)
        assert split.y.dtype == torch.int64
        assert set(split.y.unique().tolist()) == set(range(len(sample.classes)))
        if dataset.posterior:
            assert split.posterior is not None
            assert split.posterior.dtype == torch.float64
            torch.testing.assert_close(split.posterior.sum(1), torch.ones(len(split.y)).double())
    if dataset.posterior:
        posterior = splits["test"].posterior
        assert posterior is not None
        assert torch.equal(dataset.posterior(config, splits["test"].x), posterior)


@pytest.mark.parametrize("name", ["gaussians", "moons"])
def test_sampled_splits_are_balanced_shuffled_and_apart(name: str) -> None:
    dataset = find_dataset(name)
    config = dataset.config()
    splits = dataset.sample(config).splits
    sizes = {key: len(split.y) for key, split in splits.items()}
    assert sizes == {"train": 0.8 * config.n_samples, "val": 0.2 * config.n_samples, "test": 20_000}
    for split in splits.values():
        assert split.y.double().mean() == 0.5
        changes = int((split.y[1:] != split.y[:-1]).sum())
        assert 0.4 < changes / len(split.y) < 0.6  # shuffled: neither sorted nor alternating
    everything = torch.cat([split.x for split in splits.values()])
    assert len(torch.unique(everything, dim=0)) == config.n_samples + config.n_test


@pytest.mark.parametrize("name", ["gaussians", "moons"])
def test_the_seed_decides_the_sample(name: str) -> None:
    dataset = find_dataset(name)
    first, again, other = (dataset.sample(dataset.config(n_samples=100, seed=s)).splits for s in (1, 1, 2))
    for split in first:
        assert torch.equal(first[split].x, again[split].x)
        assert not torch.equal(first[split].x, other[split].x)


def test_a_split_without_a_class_is_a_problem() -> None:
    assert sampling_problems(Sampling()) == []
    assert "leave a split" in sampling_problems(Sampling(n_samples=4, val_fraction=0.1))[0]
    assert sampling_problems(Sampling(n_samples=8, val_fraction=0.25, n_test=3)) == []
    few, no_test = sampling_problems(Sampling(n_samples=8, val_fraction=0.25, n_test=3), n_classes=4)
    assert "one of the 4 classes" in few
    assert "3 test examples" in no_test


def test_sampled_splits_of_several_named_classes_are_stratified() -> None:
    def draw(n: int, stream: str) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.arange(n) % 3
        return torch.randn(n, 4), y

    classes, features = ("a", "b", "c"), ("w", "x", "y", "z")
    config = Sampling(n_samples=302, val_fraction=0.1, n_test=9)
    sample = sampled_splits(
        config, "demo", draw, lambda x: torch.ones(len(x), 3).double() / 3, classes, features
    )
    assert (sample.classes, sample.feature_names) == (classes, features)
    counts = {name: split.y.bincount().tolist() for name, split in sample.splits.items()}
    assert counts == {"train": [91, 91, 90], "val": [10, 10, 10], "test": [3, 3, 3]}


@pytest.mark.parametrize("size", [0, 7, 10, 33, 100])
def test_a_stratified_split_has_the_size_asked_for_and_each_class_its_share(size: int) -> None:
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    rest, part = stratified_split(y, size, torch.Generator().manual_seed(0))
    assert sorted(torch.cat([rest, part]).tolist()) == list(range(100))
    assert len(part) == size
    counts = y[part].bincount(minlength=3)
    assert bool(((counts - size * torch.tensor([0.5, 0.3, 0.2])).abs() < 1).all())


def test_unknown_dataset() -> None:
    with pytest.raises(UsageError, match=r"no dataset 'moon'; did you mean moons\?"):
        find_dataset("moon")
