"""MNIST: 70 000 handwritten digits of 28×28 pixels (LeCun, Cortes and Burges).

It is read from its four files in the IDX format. Other IDX files, with other images and classes, are read in
the same way, but are not called MNIST.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdcli.data import idx
from kdcli.data.dataset import Dataset, Drawn, File, Sample
from kdcli.data.pool import Pool
from kdcli.data.stratified import stratified_split
from kdcli.errors import UsageError
from kdcli.settings import setting
from kdcli.words import counted

if TYPE_CHECKING:
    from torch import Tensor

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
CONTENTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
PARTS = ("train", "t10k")  # how the names of the training and the test files start
IMAGES = {part: f"{part}-images-idx3-ubyte" for part in PARTS}
LABELS = {part: f"{part}-labels-idx1-ubyte" for part in PARTS}
LARGEST_LABEL = 2**53  # for labels of a float type: float64 has every whole number up to it
SHOWN = 5  # labels that a message names


@dataclass(frozen=True)
class MNIST(Drawn):
    """Options of MNIST."""

    n_val: int = setting(10_000, "number of examples held out for validation", minimum=10)


def sample(config: MNIST, files: Mapping[str, bytes]) -> Sample:
    """Read the four files; x `(n, rows, columns)` is uint8, or float32 where the files have fractions.

    The classes are the labels of the training files in ascending order. The test images are those of the
    test files. Raises ValueError naming a file that is not as it should be, and `UsageError` if `n_val`
    leaves a class without examples.
    """
    import torch

    from kdcli.rng import generator

    labels, images = _read(files)
    classes = _classes(labels)
    x, x_test = _pixels(images)
    y, y_test = (torch.searchsorted(classes, labels[part]) for part in PARTS)
    if config.n_val > len(y) - len(classes):
        raise UsageError(
            f"--n-val: {config.n_val} of {len(y)} images leave too few for training",
            f"keep at most {len(y) - len(classes)}",
        )
    splits = [
        stratified_split(y, config.n_val, generator("mnist/split", config.seed, draw))
        for draw in range(config.draws)
    ]
    train, val = (torch.stack(rows) for rows in zip(*splits, strict=True))
    for name, index in (("training", train[0]), ("validation", val[0])):  # other draws have as many of each
        _check_classes(name, y, index, classes)
    test = torch.arange(len(y), len(y) + len(y_test)).unsqueeze(0)
    pool = Pool(
        torch.cat([x, x_test]), torch.cat([y, y_test]), None, {"train": train, "val": val, "test": test}
    )
    return Sample(pool, tuple(str(label) for label in classes.tolist()))


def _read(files: Mapping[str, bytes]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the labels and the images of both parts; raises ValueError if they do not match."""
    labels = {part: _labels(files, part) for part in PARTS}
    images = {part: _parsed(files, IMAGES[part], idx.IMAGES) for part in PARTS}
    for part in PARTS:
        if len(images[part]) != len(labels[part]):
            raise ValueError(
                f"{IMAGES[part]} holds {len(images[part]):,} images, but {LABELS[part]} "
                f"{len(labels[part]):,} labels"
            )
    train, test = (" × ".join(map(str, images[part].shape[1:])) for part in PARTS)
    if train != test:
        raise ValueError(f"{IMAGES['train']} has images of {train} pixels, {IMAGES['t10k']} of {test}")
    n_train, n_test = (len(labels[part]) for part in PARTS)
    if n_train < n_test:
        raise ValueError(
            f"there are fewer training images ({n_train:,}) than test images ({n_test:,}): "
            "are the files swapped?"
        )
    return labels, images


def _check_classes(split: str, y: Tensor, index: Tensor, classes: Tensor) -> None:
    """Raise `UsageError` if some class has no images in a split, whose images are those of `index`."""
    counts = y[index].bincount(minlength=len(classes))
    if bool(counts.all()):
        return
    missing = int(counts.argmin())
    images = int((y == missing).sum())
    more = f"keep {'fewer' if split == 'training' else 'more'} for validation"
    raise UsageError(
        f"--n-val: with {len(y) - len(index) if split == 'training' else len(index)} of {len(y)} images for "
        f"validation the {split} split has no image with the label {int(classes[missing])} (there are "
        f"{images} in all)",
        more if images > 1 else "each label needs at least two images: for training and for validation",
    )


def _parsed(files: Mapping[str, bytes], name: str, magic: int) -> Tensor:
    """Read one of the files; raises ValueError with its name if it is damaged."""
    try:
        return idx.parse(files[name], magic)
    except ValueError as error:
        raise ValueError(f"{name} is not what it should be: {error}") from None


def _labels(files: Mapping[str, bytes], part: str) -> Tensor:
    """Read the labels `(n,)` of the training or test files as int64."""
    raw = _parsed(files, LABELS[part], idx.LABELS)
    if raw.is_floating_point():
        fits = (raw == raw.floor()) & (raw.abs() <= LARGEST_LABEL)
        if not bool(fits.all()):
            odd = float(raw[~fits][0])
            raise ValueError(f"{LABELS[part]} holds the label {odd:g}; labels are whole numbers")
    labels: Tensor = raw.long()
    return labels


def _classes(labels: Mapping[str, Tensor]) -> Tensor:
    """Return the distinct labels of the training files; raises ValueError if the test files have others."""
    import torch

    found = {part: torch.unique(y, return_counts=True) for part, y in labels.items()}
    classes: Tensor
    classes, counts = found["train"]
    if len(classes) < 2:
        raise ValueError(
            f"{LABELS['train']} holds a single label, {int(classes[0])}, {int(counts[0]):,} times; "
            "at least two classes are needed"
        )
    for part, other in (("t10k", "train"), ("train", "t10k")):
        (own, numbers), others = found[part], found[other][0]
        extra = [
            f"{label} ({counted(count, 'time')})"
            for label, count in zip(own.tolist(), numbers.tolist(), strict=True)
            if not bool((others == label).any())
        ]
        if extra:
            more = f" and {len(extra) - SHOWN} more" if len(extra) > SHOWN else ""
            raise ValueError(
                f"{LABELS[part]} holds labels that {LABELS[other]} does not: {', '.join(extra[:SHOWN])}{more}"
            )
    return classes


def _pixels(images: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the images of the training and the test files, as uint8 or as float32.

    Whole numbers from 0 to 255 become uint8, whatever type the files have; other numbers of a float type stay
    as they are. Both files are treated in the same way, so that they share one scale.
    """
    import torch

    ranges = {part: (float(x.min()), float(x.max())) for part, x in images.items()}
    for part, x in images.items():
        if x.is_floating_point() and not bool(x.float().isfinite().all()):
            raise ValueError(f"{IMAGES[part]} holds pixels that are not finite float32 numbers")
        if not x.is_floating_point() and not 0 <= ranges[part][0] <= ranges[part][1] <= 255:
            low, high = ranges[part]
            raise ValueError(
                f"{IMAGES[part]} holds pixels from {low:.0f} to {high:.0f}; pixels are whole numbers from 0 "
                "to 255, or of a float type"
            )
    train, test = (images[part] for part in PARTS)
    floats = [x.is_floating_point() for x in (train, test)]
    whole = all(low >= 0 and high <= 255 for low, high in ranges.values()) and all(
        bool((x == x.floor()).all()) for x in images.values() if x.is_floating_point()
    )
    if whole and (not any(floats) or max(high for _, high in ranges.values()) > 1):
        return train.to(torch.uint8), test.to(torch.uint8)
    if not all(floats):
        first, second = (f"{str(x.dtype).removeprefix('torch.')}" for x in (train, test))
        raise ValueError(
            f"{IMAGES['train']} holds {first} and {IMAGES['t10k']} {second}, and the float values are not "
            "whole numbers from 0 to 255: the two have different scales"
        )
    return train.float(), test.float()


DATASET = Dataset(
    summary="70 000 handwritten digits of 28×28 pixels, read from a folder or downloaded",
    config=MNIST,
    sample=sample,
    drawing="test kept",
    others="other IDX files",
    files=tuple(
        File(name, sha256, tuple(f"{mirror}{name}.gz" for mirror in MIRRORS))
        for name, sha256 in CONTENTS.items()
    ),
)
