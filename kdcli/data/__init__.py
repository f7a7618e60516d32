"""Datasets: one file each, and the dict that names them.

The command line reads DATASETS for its help, so torch is imported inside the functions.
"""

from types import MappingProxyType
from typing import Any

from kdcli.data import digits, gaussians, mnist, moons
from kdcli.data.dataset import Dataset, Sample
from kdcli.data.description import Description
from kdcli.data.pool import SPLITS, Pool, Split
from kdcli.errors import unknown

__all__ = ["DATASETS", "SPLITS", "Dataset", "Description", "Pool", "Sample", "Split", "find_dataset"]

DATASETS: MappingProxyType[str, Dataset[Any]] = MappingProxyType(
    {
        "gaussians": gaussians.DATASET,
        "moons": moons.DATASET,
        "digits": digits.DATASET,
        "mnist": mnist.DATASET,
    }
)


def find_dataset(name: str) -> Dataset[Any]:
    """Look up a dataset by name; raises `UsageError` with the nearest name."""
    if name not in DATASETS:
        raise unknown("dataset", name, DATASETS)
    return DATASETS[name]
