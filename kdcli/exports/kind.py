"""What a format of exports is, what it is given, and what comes of running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from kdcli.data.tables.encoding import Encoded
    from kdcli.models.computation import Computation, Dense


@dataclass(frozen=True)
class Rows:
    """Examples with the answers of the student in kd.

    raw  the rows as they stand in a table, a value for each column, None where it is missing; () of images
    x    their features `(n, features)`, float32
    p    the student's probabilities `(n, n_classes)`, float64
    """

    raw: Sequence[Sequence[Any]]
    x: np.ndarray
    p: np.ndarray

    def __add__(self, other: Rows) -> Rows:
        """Return these and other examples."""
        import numpy as np

        x, p = (np.concatenate(pair) for pair in ((self.x, other.x), (self.p, other.p)))
        return Rows([*self.raw, *other.raw], x, p)

    def first(self, n: int) -> Rows:
        """Return the first n."""
        return Rows(self.raw[:n], self.x[:n], self.p[:n])


@dataclass(frozen=True)
class Exported:
    """One student that leaves.

    who          the student, such as "soft-T1-tree-leaves8, seed 4, of run churn"
    taught       what it was taught, such as "soft, T = 1"
    classes      their names, in the order of the class indices
    columns      how the columns of rows become features, in their order; none of images
    fills        whether rows may lack values, for which the middle of their column stands
    missing      the words that stand for a missing value in a text
    shape        that of the features of one example
    is_bytes     whether the features are bytes of images
    computation  what the student computes of features
    x            those of its training rows, `(n, features)` float32
    facts        where it comes from and what it scores, for those who read the file with a program
    golden       made rows with the student's answers, to check what runs the file
    encoded      whether a format that could take the columns takes features
    """

    who: str
    taught: str
    classes: Sequence[str]
    columns: Sequence[Encoded]
    fills: bool
    missing: Sequence[str]
    shape: Sequence[int]
    is_bytes: bool
    computation: Computation
    x: np.ndarray
    facts: Mapping[str, Any]
    golden: Rows
    encoded: bool = False

    @property
    def features(self) -> list[str]:
        """What each feature is, in their order."""
        if self.columns:
            return [name for column in self.columns for name in column.features]
        return [f"pixel {k}" for k in range(self.x.shape[1])]

    @property
    def centred(self) -> tuple[np.ndarray | None, Sequence[Dense]]:
        """What to subtract from features for sums of 32 bits, if anything, and the layers that come then."""
        layers = self.computation.layers
        if not (self.columns and layers):
            return None, layers
        centre, first = layers[0].about(self.x)
        return (centre, [first, *layers[1:]]) if centre.any() else (None, layers)


class Ran(NamedTuple):
    """What running an export gave.

    by           what ran it, such as "onnxruntime 1.32.0"
    p            probabilities `(n, n_classes)`
    predicted    the class of each row, as an index
    latencies    microseconds of single predictions
    built        bytes of code and data that it was compiled to; None where it was not
    """

    by: str
    p: np.ndarray
    predicted: np.ndarray
    latencies: Sequence[float]
    built: int | None = None


TIMED = 200  # rows whose predictions are timed one by one
TOLERANCE = 1e-5  # of a probability


class NotAtHandError(Exception):
    """What runs a format is not at hand; the message says what is missing."""


@dataclass(frozen=True)
class FormatKind:
    """A format of exports.

    summary   what it is
    suffix    how its files end
    write     returns the content of a file
    obstacle  says why it cannot have a student, or ""
    usage     says in Markdown how a file of this name is run
    run       runs a file; raises `NotAtHandError` where nothing is at hand that can. None if nothing could
    speed     multiplications with an addition in a second, roughly, by which the rows are counted that it can
              be run on
    encodes   whether it can take columns and features alike
    is_text   whether a file can be printed
    type_of   names the type that the input of a column has; None where inputs have none
    """

    summary: str
    suffix: str
    write: Callable[[Exported], bytes]
    obstacle: Callable[[Exported], str]
    usage: Callable[[str, Exported], str]
    run: Callable[[Path, Exported, Rows], Ran] | None = None
    speed: float = 1e9
    encodes: bool = False
    is_text: bool = True
    type_of: Callable[[Encoded], str] | None = None
