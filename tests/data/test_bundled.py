import pytest
import torch
from sklearn import datasets

from kdcli.data import SPLITS, find_dataset
from kdcli.data.bundled import Bundled


@pytest.mark.parametrize(
    ("name", "shape", "classes", "counts"),
    [
        ("breast-cancer", (569, 30), ("malignant", "benign"), [212, 357]),
        ("wine", (178, 13), ("class_0", "class_1", "class_2"), [59, 71, 48]),
    ],
)
def test_a_table_of_scikit_learn_is_whole_in_raw_units_with_its_names(
    name: str, shape: tuple[int, int], classes: tuple[str, ...], counts: list[int]
) -> None:
    sample = find_dataset(name).sample(Bundled(draws=2))
    assert sample.pool.x.shape == shape
    assert sample.classes == classes
    assert sample.pool.y.bincount().tolist() == counts
    data = datasets.load_wine() if name == "wine" else datasets.load_breast_cancer()
    torch.testing.assert_close(sample.pool.x, torch.from_numpy(data.data).float(), rtol=0, atol=0)
    assert sample.feature_names == tuple(map(str, data.feature_names))
    assert find_dataset(name).standardise


@pytest.mark.parametrize("name", ["breast-cancer", "wine"])
def test_every_split_has_the_shares_of_the_classes(name: str) -> None:
    config = Bundled(draws=2, test_fraction=0.3, val_fraction=0.5)
    pool = find_dataset(name).sample(config).pool
    n = len(pool.y)
    n_test = round(0.3 * n)
    sizes = {split: rows.shape[1] for split, rows in pool.index.items()}
    assert sizes == {
        "train": n - n_test - round(0.5 * (n - n_test)),
        "val": round(0.5 * (n - n_test)),
        "test": n_test,
    }
    shares = pool.y.bincount() / n
    for draw in range(2):
        for split in SPLITS:
            counts = pool.labels(split, draw).bincount()
            assert float((counts - sizes[split] * shares).abs().max()) < 2
