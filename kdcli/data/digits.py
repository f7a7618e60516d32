"""The 1797 handwritten digits of 8×8 pixels that come with scikit-learn: images that need no download.

They are the test part of the "Optical Recognition of Handwritten Digits" data (Alpaydin and Kaynak,
1998), with pixels from 0 to 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdcli.data.dataset import Dataset, Drawn, Sample
from kdcli.data.pool import SPLITS, Pool
from kdcli.data.stratified import stratified_split
from kdcli.settings import setting

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 1797


@dataclass(frozen=True)
class Digits(Drawn):
    """Options of the small digits."""

    n_val: int = setting(359, "number of examples held out for validation", minimum=10, maximum=1000)
    n_test: int = setting(359, "number of test examples", minimum=10, maximum=1000)


def problems(config: Digits) -> list[str]:
    """Every class must be left for training."""
    left = SIZE - config.n_val - config.n_test
    return [] if left >= 10 else [f"of {SIZE} digits, {left} would be left for training; leave at least 10"]


def sample(config: Digits) -> Sample:
    """Split the digits at random in every draw, class by class; x `(n, 8, 8)` float32 from 0 to 1."""
    import torch
    from sklearn.datasets import load_digits

    from kdcli.rng import generator

    data = load_digits()
    x = torch.from_numpy(data.images).float() / 16
    y = torch.from_numpy(data.target).long()
    index: dict[str, list[Tensor]] = {name: [] for name in SPLITS}
    for draw in range(config.draws):
        random = generator("digits/split", config.seed, draw)
        rest, test = stratified_split(y, config.n_test, random)
        train, val = stratified_split(y[rest], config.n_val, random)
        for name, rows in zip(SPLITS, (rest[train], rest[val], test), strict=True):
            index[name].append(rows)
    pool = Pool(x, y, None, {name: torch.stack(rows) for name, rows in index.items()})
    return Sample(pool, tuple(map(str, data.target_names)))


DATASET = Dataset(
    summary="1797 handwritten digits of 8×8 pixels, inside the package",
    config=Digits,
    sample=sample,
    drawing="split",
    problems=problems,
)
