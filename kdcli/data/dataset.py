"""What a dataset is: its options, how it is sampled, and what is known of it exactly."""

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
    """What a dataset gives: its examples in all draws, and what its classes and features are called.

    Features that are pixels have no names. Of a table, `encodings` say how its columns became features,
    `decisions` what each column was taken for, and `notes` what else was recognised. `drawing` is how the
    draws come about, where that depends on the options.
    """

    pool: Pool
    classes: tuple[str, ...]
    feature_names: tuple[str, ...] = ()
    encodings: tuple[Encoded, ...] = ()
    decisions: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    drawing: Drawing | None = None


class Source(NamedTuple):
    """The rows that examples were made from, as they stand in their files.

    `frame` has a row for each example, in the order of the run, without the labels; None of images. An
    example stands in the row `position (n,)` of all files together, which have so many rows `in_all`.
    `values` returns any column as text, where there are columns, and `place` names an example.
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
        """Return the rows that were read, of a table, and `x (n, *shape)`.

        `names` are those of the columns of the data besides the label, in their order. Raises `KdError` for
        rows without a column that is encoded, or with labels, and for other images.
        """


class Optimum(NamedTuple):
    """What the Bayes classifier scores over the whole distribution."""

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
    """A kind of dataset: how its data are made. What the data of a run are is in their `Description`.

    `config` is the dataclass of its options, which has a `seed` and a number of `draws`. `problems` finds
    what single ranges cannot express. `sample` returns the splits train, val and test of each draw, with the
    names of classes and features; how the draws come about is the `drawing`. A dataset that is read from
    `files` gets their contents by name as a second argument, and raises ValueError if they are not what they
    should be; data of other files than the published ones are called `others`. `points` counts what it
    samples anew, by the setting that asks for it. Data of the user's own are `opened`: read from the files
    that the options name, which a display may watch. That gives the options with nothing left open, and what
    samples; they are `called` after their file, `rows` reads the rows of a table again, and `further`
    another file, or folder, of such examples; text has the `dialect` of the options. Networks `standardise`
    features that are of many kinds. Where the truth is known, `posterior` maps x `(n, *features)` to P(y|x)
    `(n, n_classes)` and `optimum` gives the exact Bayes scores.
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
    """Every class must appear in training, in validation and in the test set."""
    problems = []
    smallest = min(config.n_samples // n_classes, 2**52)  # beyond it a share is no exact number any more
    if not 0 < round(config.val_fraction * smallest) < smallest:
        problems.append(
            f"{config.n_samples} samples with a validation fraction of {config.val_fraction:g} leave a split "
            f"without one of the {n_classes} classes; take more samples or another fraction"
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
    """Sample classes of equal size in every draw: validation stratified, the test set afresh.

    `points(n, stream, draw)` gives shuffled points `x (n, features)` with their labels `y (n,)` from a draw's
    random stream of that name, as even as n allows: the first classes have one more. `posterior` gives their
    P(y|x).
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
