import os
from pathlib import Path

import pytest
import torch
from harness import idx_images, idx_labels, small_mnist

from kdcli.data import find_dataset
from kdcli.data.mnist import MNIST, sample
from kdcli.errors import UsageError
from kdcli.stages.sources import fingerprint, published, read_files

SMALL = small_mnist()


def test_the_splits() -> None:
    splits = sample(MNIST(n_val=50), SMALL)
    assert {name: tuple(split.x.shape) for name, split in splits.items()} == {
        "train": (150, 28, 28),
        "val": (50, 28, 28),
        "test": (60, 28, 28),
    }
    assert splits["train"].x.dtype == torch.uint8
    assert splits["val"].y.bincount().tolist() == [5] * 10
    assert splits["test"].y.tolist() == [k % 10 for k in range(60)]  # as they come
    assert all(split.posterior is None for split in splits.values())
    for split in splits.values():
        brightest = split.x.float().mean(2).unfold(1, 3, 1).sum(2).argmax(1)
        assert torch.equal(brightest // 2, split.y)  # each image kept its own label


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train-images-idx3-ubyte", SMALL["train-labels-idx1-ubyte"], "train-images.* it starts with 2049"),
        ("t10k-labels-idx1-ubyte", SMALL["t10k-images-idx3-ubyte"], "t10k-labels.* it starts with 2051"),
        ("train-labels-idx1-ubyte", SMALL["t10k-labels-idx1-ubyte"], "200 images and 60 labels"),
        ("train-images-idx3-ubyte", SMALL["train-images-idx3-ubyte"][:-1], "train-images.* should hold"),
        (
            "train-images-idx3-ubyte",
            idx_images(torch.zeros(200, 20, 28, dtype=torch.uint8)),
            "images of 20 × 28 pixels, not 28 × 28",
        ),
        ("t10k-labels-idx1-ubyte", idx_labels(torch.full((60,), 10)), "holds the label 10"),
        ("t10k-labels-idx1-ubyte", idx_labels(torch.arange(60) % 9), "the test split is without the digit 9"),
        (
            "train-labels-idx1-ubyte",
            idx_labels(torch.arange(200) % 8),
            "the train split is without the digit 8",
        ),
    ],
)
def test_files_that_are_not_what_they_should_be(name: str, content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sample(MNIST(n_val=50), {**SMALL, name: content})


def test_training_and_test_files_swapped() -> None:
    swap = {"train": "t10k", "t10k": "train"}
    swapped = {name: SMALL[name.replace(part := name.split("-")[0], swap[part], 1)] for name in SMALL}
    with pytest.raises(ValueError, match="are the files swapped"):
        sample(MNIST(n_val=50), swapped)


def test_nothing_left_for_training() -> None:
    with pytest.raises(UsageError, match="leave too few for training"):
        sample(MNIST(n_val=195), SMALL)


@pytest.mark.skipif("KD_MNIST_DIR" not in os.environ, reason="KD_MNIST_DIR does not name MNIST")
def test_the_real_mnist() -> None:
    dataset = find_dataset("mnist")
    files = read_files(dataset, Path(os.environ["KD_MNIST_DIR"]))
    assert fingerprint(files) == published(dataset)
    splits = dataset.sample(MNIST(), files)
    assert {name: len(split.y) for name, split in splits.items()} == {
        "train": 50_000,
        "val": 10_000,
        "test": 10_000,
    }
    assert splits["test"].y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert splits["test"].y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    whole = torch.cat([splits["train"].y, splits["val"].y]).bincount()
    assert torch.equal((whole / 6 - splits["val"].y.bincount()).abs() < 1, torch.ones(10).bool())
