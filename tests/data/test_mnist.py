import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from harness import idx_file, idx_files, idx_images, idx_labels, small_mnist

from kdcli.data import SPLITS, Split, find_dataset
from kdcli.data.mnist import MNIST, sample
from kdcli.data.sources import fingerprint, published, read_files
from kdcli.errors import UsageError

SMALL = small_mnist()


def splits_of(config: MNIST, files: Mapping[str, bytes], draw: int = 0) -> dict[str, Split]:
    """Return the splits of a draw."""
    pool = sample(config, files).pool
    return {name: pool.split(name, draw) for name in SPLITS}


@pytest.mark.parametrize("draw", [0, 1])
def test_the_splits(draw: int) -> None:
    splits = splits_of(MNIST(draws=2, n_val=50), SMALL, draw)
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


def test_draws_split_the_training_images_anew_and_share_the_test_images() -> None:
    pool = sample(MNIST(draws=3, n_val=50), SMALL).pool
    assert pool.x.shape == (260, 28, 28)  # each image once, whatever the number of draws
    assert pool.index["test"].tolist() == [list(range(200, 260))]
    held_out = [frozenset(pool.rows("val", draw).tolist()) for draw in range(3)]
    assert len(set(held_out)) == 3
    for draw, validated in enumerate(held_out):
        assert sorted([*pool.rows("train", draw).tolist(), *validated]) == list(range(200))


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (IMAGES, SMALL[LABELS], "train-images.* it holds labels .magic 2049, uint8, shape 200., not images"),
        (TEST_LABELS, SMALL[TEST_IMAGES], "t10k-labels.* it holds images .magic 2051, uint8, shape 60 × 28"),
        (LABELS, SMALL[TEST_LABELS], "holds 200 images, but train-labels-idx1-ubyte 60 labels"),
        (IMAGES, SMALL[IMAGES][:-1], "train-images.* should hold"),
        (IMAGES, idx_images(torch.zeros(200, 20, 28)), "has images of 20 × 28 pixels, t10k.* of 28 × 28"),
        (TEST_LABELS, idx_labels(torch.full((60,), 10)), r"t10k-labels.* train-.* does not: 10 \(60 times\)"),
        (TEST_LABELS, idx_labels(torch.arange(60) % 9), r"train-.* that t10k-.* does not: 9 \(20 times\)"),
        (LABELS, idx_labels(torch.arange(200) % 8), r"does not: 8 \(6 times\), 9 \(6 times\)"),
        (TEST_LABELS, idx_labels(torch.arange(100, 160)), r"103 \(1 time\), 104 \(1 time\) and 55 more"),
        (LABELS, idx_labels(torch.full((200,), 7)), "holds a single label, 7, 200 times"),
        (LABELS, idx_file(torch.arange(200) % 10 + 0.5, torch.float32), "holds the label 0.5"),
        (LABELS, idx_file(torch.full((200,), torch.nan), torch.float32), "holds the label nan"),
        (LABELS, idx_file(torch.full((200,), 1e30), torch.float64), "holds the label 1e\\+30"),
        (
            IMAGES,
            idx_file(torch.full((200, 28, 28), -3), torch.int8),
            "pixels from -3 to -3; pixels are whole",
        ),
        (IMAGES, idx_file(torch.full((200, 28, 28), 256), torch.int16), "pixels from 256 to 256"),
        (IMAGES, idx_file(torch.full((200, 28, 28), torch.nan), torch.float32), "not finite float32 numbers"),
        (
            IMAGES,
            idx_file(torch.tensor(1e300, dtype=torch.float64).expand(200, 28, 28), torch.float64),
            "not finite float32 numbers",
        ),
        (
            IMAGES,
            idx_file(torch.full((200, 28, 28), 0.5), torch.float32),
            "float32 and t10k-images-idx3-ubyte uint8",
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


@pytest.mark.parametrize(
    ("count", "n_val", "words"),
    [
        (1, 20, r"the validation split has no image with the label 10 \(there are 1 in all\)"),
        (3, 10, r"validation split has no image with the label 10 \(there are 3 in all\)"),
        (3, 180, r"training split has no image with the label 10 \(there are 3 in all\)"),
    ],
)
def test_a_class_too_rare_to_be_split(count: int, n_val: int, words: str) -> None:
    y, y_test = torch.arange(200) % 10, torch.arange(60) % 10
    y[:count] = y_test[0] = 10
    with pytest.raises(UsageError, match=words) as problem:
        sample(MNIST(n_val=n_val), {**SMALL, LABELS: idx_labels(y), TEST_LABELS: idx_labels(y_test)})
    assert ("at least two images" if count == 1 else "for validation") in problem.value.hint


@pytest.mark.parametrize(
    ("n_classes", "size", "first"), [(26, (28, 28), 1), (47, (20, 24), 0), (62, (28, 28), 0), (2, (5, 3), -1)]
)
def test_other_classes_and_sizes(n_classes: int, size: tuple[int, int], first: int) -> None:
    files = idx_files(n_classes, size, first=first, labels=torch.int8)
    config = MNIST(n_val=5 * n_classes)
    splits = splits_of(config, files)
    assert sample(config, files).classes == tuple(str(first + k) for k in range(n_classes))
    assert {name: tuple(split.x.shape) for name, split in splits.items()} == {
        "train": (15 * n_classes, *size),
        "val": (5 * n_classes, *size),
        "test": (6 * n_classes, *size),
    }
    assert splits["val"].y.bincount().tolist() == [5] * n_classes
    assert splits["test"].y.tolist() == [k % n_classes for k in range(6 * n_classes)]


@pytest.mark.parametrize("labels", [torch.int8, torch.int16, torch.int32, torch.float32, torch.float64])
@pytest.mark.parametrize("pixels", [torch.int16, torch.int32, torch.float32, torch.float64])
def test_bytes_of_any_type_are_the_same_data(pixels: torch.dtype, labels: torch.dtype) -> None:
    same = splits_of(MNIST(n_val=50), idx_files(10, pixels=pixels, labels=labels))
    for name, split in splits_of(MNIST(n_val=50), idx_files(10)).items():
        assert torch.equal(same[name].x, split.x)
        assert torch.equal(same[name].y, split.y)
        assert same[name].x.dtype == torch.uint8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1 / 255, -1 / 255, 1.5])
def test_fractions_are_taken_as_they_are(dtype: torch.dtype, scale: float) -> None:
    whole = splits_of(MNIST(n_val=50), idx_files(10))
    for name, split in splits_of(MNIST(n_val=50), idx_files(10, pixels=dtype, scale=scale)).items():
        assert torch.equal(split.x, whole[name].x.float() * torch.tensor(scale, dtype=torch.float32))
        assert split.x.dtype == torch.float32


def test_black_and_white_of_a_float_type_is_from_0_to_1() -> None:
    files = idx_files(10, pixels=torch.float32)
    for name, size in ((IMAGES, 200), (TEST_IMAGES, 60)):
        files[name] = idx_file(torch.arange(size * 28 * 28).view(-1, 28, 28) % 2, torch.float32)
    x = splits_of(MNIST(n_val=50), files)["train"].x
    assert (x.dtype, sorted(x.unique().tolist())) == (torch.float32, [0, 1])


@pytest.mark.skipif("KD_MNIST_DIR" not in os.environ, reason="KD_MNIST_DIR does not name MNIST")
def test_the_real_mnist() -> None:
    dataset = find_dataset("mnist")
    files = read_files(dataset, Path(os.environ["KD_MNIST_DIR"]))
    assert fingerprint(files) == published(dataset)
    splits = splits_of(MNIST(), files)
    assert {name: len(split.y) for name, split in splits.items()} == {
        "train": 50_000,
        "val": 10_000,
        "test": 10_000,
    }
    assert splits["test"].y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert splits["test"].y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    whole = torch.cat([splits["train"].y, splits["val"].y]).bincount()
    assert torch.equal((whole / 6 - splits["val"].y.bincount()).abs() < 1, torch.ones(10).bool())
