from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.made import labelled_pixels, written

from kdcli.data import SPLITS, Sample
from kdcli.data.arrays import Arrays, opened
from kdcli.errors import KdError, UsageError

X, Y = labelled_pixels()


def read(draws: int = 1, **arrays: Any) -> Sample:
    np.savez("a.npz", **arrays)
    return opened(Arrays(file="a.npz", draws=draws))[1]()


def test_images_of_bytes_stay_as_they_are() -> None:
    sample = read(x=X, y=Y)
    assert sample.pool.x.dtype == torch.uint8
    assert np.array_equal(sample.pool.x.numpy(), X)
    assert sample.pool.y.tolist() == Y.tolist()
    assert (sample.classes, sample.feature_names, sample.drawing) == (("0", "1", "2"), (), "split")


def test_channels_come_first_afterwards() -> None:
    x = np.stack([X, X + 1, X + 2], axis=-1)
    pool = read(x=x, y=Y).pool
    assert pool.x.shape == (60, 3, 6, 6)
    assert np.array_equal(pool.x[:, 1].numpy(), X + 1)


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "int8", "bool", "uint16"])
def test_rows_of_numbers_become_float32_and_have_names(kind: str) -> None:
    x = (X[:, 0, :3] % 100).astype(kind)
    sample = read(x=x, y=Y)
    assert sample.pool.x.dtype == torch.float32
    assert np.array_equal(sample.pool.x.numpy(), x.astype(np.float32))
    assert sample.feature_names == ("x1", "x2", "x3")


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array(["cat", "dog", "fox"])[Y], ("cat", "dog", "fox")),
        (np.array([b"cat", b"dog", b"fox"])[Y], ("cat", "dog", "fox")),
        (Y * 5 - 1, ("-1", "4", "9")),
        (Y.astype(np.float32), ("0.0", "1.0", "2.0")),
        (Y[:, None], ("0", "1", "2")),
        (Y == 1, ("False", "True")),
    ],
)
def test_labels_are_numbers_or_texts(y: Any, classes: tuple[str, ...]) -> None:
    sample = read(x=X, y=y)
    assert sample.classes == classes
    assert [classes[k] for k in sample.pool.y] == [
        label.decode() if isinstance(label, bytes) else str(label) for label in y.reshape(-1).tolist()
    ]


def test_names_as_in_keras_keep_the_test_set_and_the_validation_set() -> None:
    parts = {"x_train": X[:36], "y_train": Y[:36], "x_test": X[48:], "y_test": Y[48:]}
    sample = read(draws=2, **parts)
    assert sample.drawing == "test kept"
    assert sample.pool.index["test"].shape == (1, 12)
    assert np.array_equal(sample.pool.split("test").x.numpy(), X[48:])
    assert {split: sample.pool.index[split].shape for split in ("train", "val")} == {
        "train": (2, 29),
        "val": (2, 7),
    }
    parts |= {"x_val": X[36:48], "y_val": Y[36:48]}
    pool = read(**parts).pool
    assert np.array_equal(pool.split("val").x.numpy(), X[36:48])
    assert sorted(pool.rows("train").tolist()) == list(range(36))
    assert opened(Arrays(file="a.npz"))[0].draws == 1
    with pytest.raises(UsageError, match="all draws would have the same rows"):
        read(draws=2, **parts)


def test_the_number_of_rows_over_all_parts_decides_the_draws() -> None:
    np.savez("a.npz", x=np.zeros((5001, 2)), y=np.arange(5001) % 2)
    assert opened(Arrays(file="a.npz"))[0].draws == 1
    np.savez("a.npz", x=np.zeros((5000, 2)), y=np.arange(5000) % 2)
    assert opened(Arrays(file="a.npz"))[0].draws == 10


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X, "y": np.array([{"a": 1}] * 60, dtype=object)}, "Python objects, which kd does not load"),
        ({"x": np.array([[1, "a"]] * 60, dtype=object), "y": Y}, "Python objects"),
        ({"x": X, "z": Y}, "has the arrays x, z"),
        ({"x_test": X, "y_test": Y}, "has the arrays x_test, y_test"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y}, "has the arrays x, y, x_test, y_test"),
        ({}, "has the arrays none"),
        ({"x": X[:, 0, 0], "y": Y}, r"shapes \(60,\) and \(60,\)"),
        ({"x": X[:59], "y": Y}, r"shapes \(59, 6, 6\) and \(60,\)"),
        ({"x": X, "y": np.eye(3)[Y]}, r"shapes \(60, 6, 6\) and \(60, 3\)"),
        ({"x": X, "y": np.array(3)}, "shapes"),
        ({"x": X[:0], "y": Y[:0]}, "shapes"),
        ({"x": X[:, :0], "y": Y}, "shapes"),
        ({"x": X.astype("complex64"), "y": Y}, "types complex64 and int64"),
        ({"x": X.astype("S3"), "y": Y}, r"types \|S3"),
        ({"x": X, "y": Y.astype("datetime64[s]")}, "types uint8 and datetime64"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :5], "y_test": Y},
            "x_train and x_test have different shapes",
        ),
        ({"x_train": X, "y_train": Y, "x_test": X / 255, "y_test": Y}, "x_test have different types"),
        ({"x": X, "y": Y * 0}, "y has only '0'"),
    ],
)
def test_what_are_no_examples_with_labels_is_refused(arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(KdError, match=words) as problem:
        read(**arrays)
    assert problem.value.hint


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_what_is_no_finite_number_of_32_bits_is_refused_with_its_row(value: float) -> None:
    x = X[:, 0].astype(np.float64)
    x[4, 1] = value
    with pytest.raises(KdError, match="x has a value in row 5 that is not a finite 32-bit number"):
        read(x=x, y=Y)


def test_a_damaged_file_and_none_are_refused() -> None:
    np.savez("a.npz", x=X, y=Y)
    content = Path("a.npz").read_bytes()
    np.save("a.npy", X)
    for damaged in (b"", b"x", content[:-30], content[:300], Path("a.npy").read_bytes()):
        with pytest.raises(KdError, match=r"a\.npz is damaged, or not an NPZ file"):
            opened(Arrays(file=written("a.npz", damaged)))
    with pytest.raises(KdError, match=r"cannot read .*nothing"):
        opened(Arrays(file="nothing.npz"))
    with pytest.raises(UsageError, match="name a file of arrays"):
        opened(Arrays())


def test_every_example_is_in_one_split_of_each_draw() -> None:
    pool = read(draws=3, x=X, y=Y).pool
    for draw in range(3):
        assert sorted(torch.cat([pool.rows(split, draw) for split in SPLITS]).tolist()) == list(range(60))
