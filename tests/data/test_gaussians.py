import pytest
import torch

from kdcli.data import DATASETS, find_dataset
from kdcli.data.gaussians import Gaussians, optimum, posterior, problems, sample


def test_optimum_is_exact() -> None:
    best = optimum(Gaussians())
    assert best.accuracy == pytest.approx(1 - 0.0227501, abs=5e-8)
    assert best.nll == pytest.approx(0.0604270, abs=5e-8)


def test_splits_are_balanced_shuffled_and_apart() -> None:
    splits = sample(Gaussians())
    assert {name: len(split.y) for name, split in splits.items()} == {
        "train": 1600,
        "val": 400,
        "test": 20_000,
    }
    for split in splits.values():
        assert split.y.double().mean() == 0.5
        changes = int((split.y[1:] != split.y[:-1]).sum())
        assert 0.4 < changes / len(split.y) < 0.6  # shuffled: neither sorted nor alternating
    everything = torch.cat([split.x for split in splits.values()])
    assert len(torch.unique(everything, dim=0)) == 22_000


def test_posterior_agrees_with_sampled_frequencies() -> None:
    config = Gaussians(n_test=400_000, separation=2.0)
    test = sample(config)["test"]
    assert test.posterior is not None
    p = test.posterior[:, 1]
    for low in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8):
        inside = (p >= low) & (p < low + 0.15)
        n = int(inside.sum())
        gap = float(test.y[inside].double().mean() - p[inside].mean())
        assert abs(gap) < 4 * (0.25 / n) ** 0.5


def test_posterior_is_the_logistic_function_of_the_first_feature() -> None:
    x = torch.tensor([[0.3, 5.0], [-8.0, 0.0]])
    expected = torch.sigmoid(4 * x[:, 0].double())
    torch.testing.assert_close(posterior(Gaussians(), x)[:, 1], expected)
    assert posterior(Gaussians(), x)[1, 1] > 0  # no underflow to an exact 0


def test_the_seed_decides_the_sample() -> None:
    first, again, other = (sample(Gaussians(n_samples=100, seed=s)) for s in (1, 1, 2))
    assert torch.equal(first["train"].x, again["train"].x)
    assert not torch.equal(first["train"].x, other["train"].x)


def test_a_split_without_a_class_is_a_problem() -> None:
    assert problems(Gaussians()) == []
    assert "leave a split" in problems(Gaussians(n_samples=4, val_fraction=0.1))[0]


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_keeps_the_contract(name: str) -> None:
    dataset = find_dataset(name)
    config = dataset.config()
    splits = dataset.sample(config)
    assert set(splits) == {"train", "val", "test"}
    for split in splits.values():
        assert split.y.dtype == torch.int64
        assert set(split.y.unique().tolist()) == set(range(dataset.n_classes))
        if dataset.posterior:
            assert split.posterior is not None
            assert split.posterior.dtype == torch.float64
            torch.testing.assert_close(split.posterior.sum(1), torch.ones(len(split.y)).double())
