"""Export formats: the student that a format gets, and the result of running the exported file."""

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
    """Examples with the student's predictions in kd.

    raw  the rows as they are in a table, a value for each column, None if it is missing; () for images
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
        """Return the first n examples."""
        return Rows(self.raw[:n], self.x[:n], self.p[:n])


@dataclass(frozen=True)
class Exported:
    """The student that is exported.

    who          the student, such as "soft-T1-tree-leaves8, seed 4, of run churn"
    taught       its target, such as "soft, T = 1"
    classes      the names of the classes, in the order of the class indices
    columns      how the columns of a table become features, in their order; empty for images
    fills        whether rows may lack values, which the middle of their column then replaces
    missing      the words that stand for a missing value in text
    shape        the shape of the features of one example
    is_bytes     whether the features are bytes of images
    computation  how the student computes its outputs from features
    x            the features of its training rows, `(n, features)` float32
    facts        where it comes from and its scores, for programs that read the file
    golden       synthetic rows with the student's predictions, to check a program that runs the file
    encoded      whether the file takes features even though its format could take columns
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
        """The names of the features, in order."""
        if self.columns:
            return [name for column in self.columns for name in column.features]
        return [f"pixel {k}" for k in range(self.x.shape[1])]

    @property
    def centred(self) -> tuple[np.ndarray | None, Sequence[Dense]]:
        """What to subtract from features, if anything, for exact 32-bit sums, and the layers that follow."""
        layers = self.computation.layers
        if not (self.columns and layers):
            return None, layers
        centre, first = layers[0].about(self.x)
        return (centre, [first, *layers[1:]]) if centre.any() else (None, layers)


class Ran(NamedTuple):
    """The result of running an export.

    by           the program that ran it, such as "onnxruntime 1.32.0"
    p            probabilities `(n, n_classes)`
    predicted    the class of each row, as an index
    latencies    microseconds of single predictions
    built        bytes of code and data that it was compiled to; None if it was not compiled
    """

    by: str
    p: np.ndarray
    predicted: np.ndarray
    latencies: Sequence[float]
    built: int | None = None


TIMED = 200  # rows whose predictions are timed one by one
TOLERANCE = 1e-5  # allowed difference of a probability


class NotAtHandError(Exception):
    """No program that runs the format is available; the message names what is missing."""


@dataclass(frozen=True)
class FormatKind:
    """A format of exports.

    summary   a short description
    suffix    the suffix of its files
    write     returns the content of a file
    obstacle  returns why a student cannot be exported, or ""
    usage     returns Markdown on how to run a file of this name
    run       runs a file; raises `NotAtHandError` if no program for it is available. None if it cannot be run
    speed     rough number of multiply-adds per second, from which the number of rows to run follows
    encodes   whether inputs can be either columns or features
    is_text   whether a file can be printed
    type_of   returns the type of the input of a column; None if inputs have no types
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
