"""The 1797 handwritten digits of 8×8 pixels that come with scikit-learn: images that need no download.

They are the test part of the "Optical Recognition of Handwritten Digits" data (Alpaydin and Kaynak,
1998), with pixels from 0 to 16.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdcli.data.dataset import Dataset, Sample, Split, stratified_split
from kdcli.settings import setting

SIZE = 1797


@dataclass(frozen=True)
class Digits:
    """Options of the small digits."""

    n_val: int = setting(359, "number of examples held out for validation", minimum=10, maximum=1000)
    n_test: int = setting(359, "number of test examples", minimum=10, maximum=1000)
    seed: int = setting(0, "random seed of the data", minimum=0)


def problems(config: Digits) -> list[str]:
    """Every class must be left for training."""
    left = SIZE - config.n_val - config.n_test
    return [] if left >= 10 else [f"of {SIZE} digits, {left} would be left for training; leave at least 10"]


def sample(config: Digits) -> Sample:
    """Split the digits at random, class by class; x `(n, 8, 8)` float32 from 0 to 1."""
    import torch
    from sklearn.datasets import load_digits

    from kdcli.rng import generator

    data = load_digits()
    x = torch.from_numpy(data.images).float() / 16
    y = torch.from_numpy(data.target).long()
    random = generator("digits/split", config.seed)
    rest, test = stratified_split(y, config.n_test, random)
    train, val = stratified_split(y[rest], config.n_val, random)
    parts = {"train": rest[train], "val": rest[val], "test": test}
    splits = {name: Split(x[index], y[index], None) for name, index in parts.items()}
    return Sample(splits, tuple(map(str, data.target_names)))


DATASET = Dataset(
    summary="1797 handwritten digits of 8×8 pixels, inside the package",
    config=Digits,
    sample=sample,
    problems=problems,
)
