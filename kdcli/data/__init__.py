"""Datasets: one file each, and the dict that names them.

The command line reads DATASETS for its help, so torch is imported inside the functions.
"""

import os
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kdcli.data import arrays, bundled, digits, gaussians, images, mnist, moons, table
from kdcli.data.dataset import Dataset, Sample
from kdcli.data.description import Description
from kdcli.data.pool import SPLITS, Pool, Split
from kdcli.data.tables.columnar import SUFFIXES
from kdcli.data.tables.reading import TEXT, is_table
from kdcli.errors import KdError, unknown

__all__ = [
    "DATASETS",
    "SPLITS",
    "Dataset",
    "Description",
    "Pool",
    "Sample",
    "Split",
    "find_dataset",
    "kind_of_source",
]

DATASETS: MappingProxyType[str, Dataset[Any]] = MappingProxyType(
    {
        "gaussians": gaussians.DATASET,
        "moons": moons.DATASET,
        "digits": digits.DATASET,
        "mnist": mnist.DATASET,
        "breast-cancer": bundled.BREAST_CANCER,
        "wine": bundled.WINE,
        "table": table.DATASET,
        "arrays": arrays.DATASET,
        "images": images.DATASET,
    }
)


def kind_of_source(path: Path) -> str:
    """Return the kind of dataset of a user's file or folder; raises `KdError` if kd cannot read it."""
    if os.path.isdir(path):
        names = [file.name for file in path.iterdir()]
        return "mnist" if any("idx3" in name for name in names) else "images"
    if is_table(path):
        return "table"
    if path.suffix.lower() == ".npz":
        return "arrays"
    problem = "is not of a kind that kd reads" if os.path.exists(path) else "does not exist"
    kinds = ", ".join((*TEXT, *SUFFIXES, ".npz"))
    raise KdError(f"{path} {problem}", f"kd reads {kinds}, folders of images, and folders with IDX files")


def find_dataset(name: str) -> Dataset[Any]:
    """Look up a dataset by name; raises `UsageError` with the nearest name."""
    if name not in DATASETS:
        raise unknown("dataset", name, DATASETS)
    return DATASETS[name]
