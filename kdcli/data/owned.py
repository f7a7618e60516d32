"""What all of the user's own data have in common: where they were read from, and how they are split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kdcli.data.dataset import Dataset, Drawn, Further, Sample, Source
from kdcli.data.draw import Drawing
from kdcli.data.pool import Pool
from kdcli.data.tables import splitting
from kdcli.errors import KdError
from kdcli.progress import Watch, unwatched
from kdcli.settings import setting
from kdcli.store import free_memory

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.data.tables.text import Dialect

FEW_ROWS = 5000  # up to this number of rows, TEN draws are the default
TEN = 10
IDX_STREAM = "mnist/split"  # images are split in the same way whatever kind of file they come from
MOST_CLASSES = 100
SHOWN = 5
TOO_FEW = f"kd is for classification: labels have from 2 to {MOST_CLASSES} different values"

C = TypeVar("C", bound="Owned")


@dataclass(frozen=True)
class Owned(Drawn):
    """Options that all of the user's own data have."""

    draws: int = setting(
        0,
        "number of draws, each with its own teacher and students; 0: ten up to 5,000 rows, else one",
        minimum=0,
        maximum=1000,
    )
    digest: str = setting("", "SHA-256 of the files that the data were read from; empty: not checked")
    test_fraction: float = setting(0.2, "share of the rows that is held out for the test", above=0, below=1)
    val_fraction: float = setting(
        0.2, "share of the other rows that is held out for validation", above=0, below=1
    )

    @property
    def shares(self) -> tuple[float, float]:
        """The share of the test rows in all, and of the validation rows in the rest."""
        return (self.test_fraction, self.val_fraction)

    @property
    def fixes_rows(self) -> bool:
        """Whether the options fix the rows of each split, so that another draw would have the same."""
        return False

    def resolved(self, rows: int, parts: Collection[str] = ()) -> Self:
        """Return the options with the number of draws filled in: the default for this number of rows.

        It is 1 if the data come in `parts` that fix the rows of each split.
        """
        fixed = self.fixes_rows or {"val", "test"} <= set(parts)
        return self if self.draws else replace(self, draws=TEN if rows <= FEW_ROWS and not fixed else 1)


def dataset_of(
    summary: str,
    config: type[C],
    opened: Callable[[C, Watch], tuple[C, Callable[[], Sample]]],
    standardise: bool = False,
    rows: Callable[[C, Watch], Source] | None = None,
    further: Further[C] | None = None,
    dialect: Callable[[C], Dialect] | None = None,
) -> Dataset[C]:
    """Return a dataset of the user's own data, which is split at random and called after its file."""
    return Dataset(
        summary=summary,
        config=config,
        sample=lambda options: opened(options, unwatched)[1](),
        drawing="split",
        opened=opened,
        called=called,
        rows=rows,
        further=further,
        dialect=dialect,
        standardise=standardise,
    )


def called(config: Any) -> str:
    """Return the name of the data: that of their file or folder."""
    return stem(Path(config.file))


def stem(path: Path) -> str:
    """Return the name of a file or folder without its suffix."""
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def digest_of(paths: Iterable[Path], expected: str, places: Sequence[str] = ()) -> str:
    """Return one SHA-256 of files, and of the `places` that say what split and class each belongs to.

    Raises `KdError` if it is not the `expected` one, or if a file cannot be read.
    """
    digests = []
    for path in paths:
        try:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            hint = "check the path, and that it may be read"
            raise KdError(f"cannot read {path}: {error.strerror}", hint) from None
    digest = hashlib.sha256("\n".join([*digests, *places]).encode("utf-8", "surrogateescape")).hexdigest()
    if expected and digest != expected:
        raise KdError(
            "the files of the data have changed since the data were made (the SHA-256 differs)",
            "restore them, or make the data again with --force and a recipe without `digest`",
        )
    return digest


def check_memory(what: str, needed: int, hint: str) -> None:
    """Raise `KdError` if something needs more bytes of memory than are free."""
    free = free_memory()
    if free is not None and needed > free:
        raise KdError(
            f"{what} takes about {needed / 1e9:.1f} GB of memory, but only {free / 1e9:.1f} GB are free", hint
        )


def pooled(
    config: Owned, x: Tensor, labels: Sequence[str], parts: Sequence[str], named: str
) -> tuple[Pool, tuple[str, ...], Drawing]:
    """Split examples `x (n, *features)` with these labels in every draw.

    `parts` names the split that each example belongs to, or "rows" for those that are split at random.
    Returns the examples, the names of the classes, and how the draws come about.
    """
    import torch

    classes = classes_of(labels, named)
    codes = {name: k for k, name in enumerate(classes)}
    y = torch.tensor([codes[label] for label in labels], dtype=torch.int64)
    fixed = {
        part: torch.tensor([k for k, own in enumerate(parts) if own == part], dtype=torch.int64)
        for part in ("val", "test")
        if part in parts
    }
    index = splitting.drawn(y, fixed, config.shares, config.seed, config.draws, IDX_STREAM)
    splitting.check_classes(y, index, classes)
    return Pool(x, y, None, index), classes, "test kept" if "test" in fixed else "split"


def classes_of(labels: Iterable[str], named: str) -> tuple[str, ...]:
    """Return the names of the classes in order: numbers by size, texts by the alphabet.

    Raises `KdError` if the labels have fewer than two different values, or more than MOST_CLASSES.
    """
    classes = sorted(set(labels))
    if len(classes) < 2:
        only = f"only '{classes[0]}'" if classes else "no value"
        raise KdError(f"{named} has {only}", TOO_FEW)
    if len(classes) > MOST_CLASSES:
        some = ", ".join(f"'{label}'" for label in classes[:SHOWN])
        raise KdError(
            f"{named} has {len(classes):,} different values ({some}, …): are they measures, or row names?",
            TOO_FEW,
        )
    try:
        return tuple(sorted(classes, key=float))
    except ValueError:
        return tuple(classes)
