"""Datasets: their options, how they are sampled, and the exact posterior where it is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from kdcli.data.draw import Drawing
from kdcli.data.pool import SPLITS, Pool, joined
from kdcli.data.stratified import stratified_split
from kdcli.progress import Watch
from kdcli.settings import setting

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from kdcli.data.tables.columns import Column
    from kdcli.data.tables.encoding import Encoded
    from kdcli.data.tables.text import Dialect

C = TypeVar("C")
D = TypeVar("D", contravariant=True)

PLANE = ("x₁", "x₂")  # names of the features of points in the plane


class Sample(NamedTuple):
    """The examples of a dataset in all draws, with the names of its classes and features.

    Features that are pixels have no names. For a table, `encodings` are how its columns became features,
    `decisions` the kind of each column, and `notes` whatever else the user should know. `drawing` is how the
    draws come about, if that depends on the options.
    """

    pool: Pool
    classes: tuple[str, ...]
    feature_names: tuple[str, ...] = ()
    encodings: tuple[Encoded, ...] = ()
    decisions: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    drawing: Drawing | None = None


class Source(NamedTuple):
    """The rows that examples were made from, as they are in their files.

    `frame` has a row for each example, in the order of the run, without the labels; it is None for images.
    `position (n,)` is the row of each example in all files together, which have `in_all` rows. `values`
    returns any column as text, if there are columns, and `place` returns where an example was read.
    """

    frame: pl.DataFrame | None
    position: Tensor
    in_all: int
    values: Callable[[str], Sequence[str]] | None
    place: Callable[[int], str]


class Further(Protocol[D]):
    """Reads further examples from a file or a folder, as models see them."""

    def __call__(
        self,
        config: D,
        path: Path,
        shape: Sequence[int],
        encodings: Sequence[Encoded],
        names: Sequence[str],
        watch: Watch,
    ) -> tuple[pl.DataFrame | None, Tensor]:
        """Return the rows that were read (None for images), and `x (n, *shape)`.

        `names` are the columns of the data without the label, in their order. Raises `KdError` if the rows
        lack a column that is encoded or have labels, or if the images have another shape.
        """


class Optimum(NamedTuple):
    """The scores of the Bayes classifier over the whole distribution."""

    accuracy: float
    nll: float  # nats


@dataclass(frozen=True)
class File:
    """A file that a dataset is read from: its name, the SHA-256 of its content, and where it is found."""

    name: str
    sha256: str
    mirrors: tuple[str, ...]


@dataclass(frozen=True)
class Dataset(Generic[C]):
    """A kind of dataset: how its data are made. The `Description` describes the data of one run.

    `config` is the dataclass of its options, which has a `seed` and a number of `draws`. `problems` returns
    invalid combinations of options. `sample` returns the splits train, val and test of each draw, with the
    names of classes and features; `drawing` is how the draws come about. If the dataset is read from `files`,
    `sample` gets their contents by name as a second argument, and raises ValueError if they are not as they
    should be; data from other files than the published ones are called `others`. `points` counts the points
    sampled in each draw, by the setting that asks for them. For the user's own data, `opened` reads the files
    that the options name, and reports progress; it returns the options with their defaults filled in, and a
    function that makes the sample. `called` is the name of such data, `rows` reads the rows of a table again,
    `further` reads more examples from another file or folder, and `dialect` is how text is read. With
    `standardise`, networks standardise the features. Where the truth is known, `posterior` maps
    x `(n, *features)` to P(y|x) `(n, n_classes)`, and `optimum` returns the exact Bayes scores.
    """

    summary: str
    config: type[C]
    sample: Callable[..., Sample]
    drawing: Drawing
    opened: Callable[[C, Watch], tuple[C, Callable[[], Sample]]] | None = None
    called: Callable[[C], str] | None = None
    rows: Callable[[C, Watch], Source] | None = None
    further: Further[C] | None = None
    dialect: Callable[[C], Dialect] | None = None
    standardise: bool = False
    files: tuple[File, ...] = ()
    others: str = ""
    problems: Callable[[C], list[str]] = lambda config: []
    points: Callable[[C], Mapping[str, int]] = lambda config: {}
    posterior: Callable[[C, Tensor], Tensor] | None = None
    optimum: Callable[[C], Optimum] | None = None


@dataclass(frozen=True)
class Drawn:
    """Options of every dataset: how many draws of it there are, and the seed that determines them all."""

    draws: int = setting(
        1,
        "number of draws of the data, each with its own teacher and students: verdicts hold over draws",
        minimum=1,
        maximum=1000,
    )
    seed: int = setting(0, "random seed of the data", minimum=0)


@dataclass(frozen=True)
class Sampling(Drawn):
    """Options of every dataset that is sampled: classes of equal size, and a test set drawn afresh."""

    n_samples: int = setting(2000, "number of points sampled for training and validation together", minimum=4)
    val_fraction: float = setting(
        0.2, "share of the points that is held out for validation", above=0, below=1
    )
    n_test: int = setting(20_000, "number of test examples", minimum=2)


def sampling_problems(config: Sampling, n_classes: int = 2) -> list[str]:
    """Return problems of the options: every class must appear in training, validation and the test set."""
    problems = []
    smallest = min(config.n_samples // n_classes, 2**52)  # above it, shares are no longer exact
    if not 0 < round(config.val_fraction * smallest) < smallest:
        problems.append(
            f"{config.n_samples} samples with a validation fraction of {config.val_fraction:g} leave a split "
            f"without one of the {n_classes} classes; use more samples or another fraction"
        )
    if config.n_test < n_classes:
        problems.append(f"{config.n_test} test examples are fewer than the {n_classes} classes")
    return problems


def sampled_points(config: Sampling) -> dict[str, int]:
    """Count the points to be sampled in each draw, by the setting that asks for them."""
    return {"n_samples": config.n_samples, "n_test": config.n_test}


def sampled_pool(
    config: Sampling,
    stream: str,
    points: Callable[[int, str, int], tuple[Tensor, Tensor]],
    posterior: Callable[[Tensor], Tensor],
    classes: tuple[str, ...] = ("0", "1"),
    feature_names: tuple[str, ...] = PLANE,
) -> Sample:
    """Sample classes of equal size, a stratified validation split, and a test set in every draw.

    `points(n, stream, draw)` returns shuffled points `x (n, features)` with their labels `y (n,)` from a
    draw's random stream of that name. The classes are as equal as n allows: the first may have one point
    more. `posterior` returns P(y|x) of points.
    """
    import torch

    from kdcli.rng import generator

    n_classes = len(classes)

    def sampled(draw: int) -> Pool:
        x, y = points(config.n_samples, stream, draw)
        n_val = sum(round(config.val_fraction * len(range(k, len(y), n_classes))) for k in range(n_classes))
        train, val = stratified_split(y, n_val, generator(f"{stream}/split", config.seed, draw))
        test = points(config.n_test, f"{stream}/test", draw)
        splits = [(x[train], y[train]), (x[val], y[val]), test]
        rows = torch.split(torch.arange(len(y) + config.n_test), [len(part[1]) for part in splits])
        return Pool(
            x=torch.cat([part[0] for part in splits]),
            y=torch.cat([part[1] for part in splits]),
            posterior=torch.cat([posterior(part[0]) for part in splits]),
            index={name: row.unsqueeze(0) for name, row in zip(SPLITS, rows, strict=True)},
        )

    return Sample(joined([sampled(draw) for draw in range(config.draws)]), classes, feature_names)
