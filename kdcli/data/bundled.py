"""Two small tables that come with scikit-learn: they work without a download.

Breast cancer, Wisconsin (Street, Wolberg and Mangasarian, 1993): 569 tumours, 30 measures of their cells.
Wine (Aeberhard and Forina, 1991): 178 wines of three growers, 13 chemical measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kdcli.data.dataset import Dataset, Drawn, Sample
from kdcli.data.pool import Pool
from kdcli.data.tables import splitting
from kdcli.settings import setting


@dataclass(frozen=True)
class Bundled(Drawn):
    """Options of a table that comes with scikit-learn."""

    test_fraction: float = setting(
        0.2, "share of the rows that is held out for the test", minimum=0.05, maximum=0.6
    )
    val_fraction: float = setting(
        0.2, "share of the other rows that is held out for validation", minimum=0.05, maximum=0.6
    )


def sample(loader: str, config: Bundled) -> Sample:
    """Split a table at random in every draw, class by class; x `(n, features)` float32, in raw units."""
    import torch
    from sklearn import datasets

    load: Callable[[], Any] = getattr(datasets, loader)
    data = load()
    x, y = torch.from_numpy(data.data).float(), torch.from_numpy(data.target).long()
    shares = (config.test_fraction, config.val_fraction)
    index = splitting.drawn(y, {}, shares, config.seed, config.draws, f"{loader}/split")
    classes = tuple(map(str, data.target_names))
    return Sample(Pool(x, y, None, index), classes, tuple(map(str, data.feature_names)))


def dataset(loader: str, summary: str) -> Dataset[Bundled]:
    """Return a table of scikit-learn as a dataset."""
    return Dataset(
        summary=summary, config=Bundled, sample=partial(sample, loader), drawing="split", standardise=True
    )


BREAST_CANCER = dataset("load_breast_cancer", "569 tumours, 30 measures of their cells, inside the package")
WINE = dataset("load_wine", "178 wines of three growers, 13 measures, inside the package")
