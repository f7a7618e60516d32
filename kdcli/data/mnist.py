"""MNIST: 70 000 handwritten digits of 28×28 pixels (LeCun, Cortes and Burges).

Read from its four files in the IDX format, or from others of that format and size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdcli.data import idx
from kdcli.data.dataset import Dataset, File, Split, stratified_split
from kdcli.errors import UsageError
from kdcli.settings import setting

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
SIDE = 28


@dataclass(frozen=True)
class MNIST:
    """Options of MNIST."""

    n_val: int = setting(10_000, "examples kept for validation, class by class", minimum=10)
    seed: int = setting(0, "seed of the split", minimum=0)


def sample(config: MNIST, files: Mapping[str, bytes]) -> dict[str, Split]:
    """Read the four files; x `(n, 28, 28)` uint8. The test images are those of the test files.

    Raises ValueError naming the file that is not what it should be, and `UsageError` if `n_val` leaves
    nothing to train on.
    """
    from kdcli.rng import generator

    parts = {}
    for part in ("train", "t10k"):
        read = {}
        for kind, magic in (("images-idx3", idx.IMAGES), ("labels-idx1", idx.LABELS)):
            name = f"{part}-{kind}-ubyte"
            try:
                read[kind] = idx.parse(files[name], magic)
            except ValueError as error:
                raise ValueError(f"{name} is not what it should be: {error}") from None
        x, y = read["images-idx3"], read["labels-idx1"].long()
        if x.shape[1:] != (SIDE, SIDE):
            shape = " × ".join(map(str, x.shape[1:]))
            raise ValueError(f"{part}-images-idx3-ubyte has images of {shape} pixels, not {SIDE} × {SIDE}")
        if len(x) != len(y):
            raise ValueError(f"the {part} files hold {len(x):,} images and {len(y):,} labels")
        if int(y.max()) > 9:
            raise ValueError(f"{part}-labels-idx1-ubyte holds the label {int(y.max())}; labels are 0 to 9")
        parts[part] = x, y
    (x, y), (x_test, y_test) = parts["train"], parts["t10k"]
    if len(y) < len(y_test):
        raise ValueError(
            f"there are fewer training images ({len(y):,}) than test images ({len(y_test):,}): "
            "are the files swapped?"
        )
    if config.n_val > len(y) - 10:
        raise UsageError(
            f"--n-val: {config.n_val} of {len(y)} images leave too few for training",
            f"keep at most {len(y) - 10}",
        )
    train, val = stratified_split(y, config.n_val, generator("mnist/split", config.seed))
    splits = {
        "train": Split(x[train], y[train], None),
        "val": Split(x[val], y[val], None),
        "test": Split(x_test, y_test, None),
    }
    for name, split in splits.items():
        counts = split.y.bincount(minlength=10)
        if not bool(counts.all()):
            raise ValueError(f"the {name} split is without the digit {int(counts.argmin())}")
    return splits


DATASET = Dataset(
    summary="70 000 handwritten digits of 28×28 pixels, read from a folder or downloaded",
    n_classes=10,
    features=(28, 28),
    config=MNIST,
    sample=sample,
    files=tuple(
        File(name, sha256, tuple(f"{mirror}{name}.gz" for mirror in MIRRORS))
        for name, sha256 in CONTENTS.items()
    ),
)
