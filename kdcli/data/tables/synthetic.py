"""Synthetic transfer examples of a table: new rows near the training rows, for a teacher to label."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from kdcli.data.tables.encoding import LARGEST
from kdcli.errors import KdError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

PAIRS = 1 << 19  # pairs of rows whose distances are computed at once, few enough for the processor's cache


def munge(
    rows: pl.DataFrame,
    passes: int,
    random: np.random.Generator,
    *,
    p: float = 0.5,
    s: float = 1.0,
    numeric: Collection[str],
) -> pl.DataFrame:
    """Draw new rows, `passes` for each given row, with MUNGE (Bucilă, Caruana and Niculescu-Mizil, 2006).

    A new row begins as a copy of a given row e, whose nearest other row is e′ (see `nearest_other_rows`).
    Each attribute a changes with probability `p`: a number to a draw from N(e′_a, |e_a − e′_a| / s), with
    s > 0, and a category to e′_a. So does a number if it is missing in e or in e′, or if its column's type
    cannot hold the draw. Columns of whole numbers stay whole.

    The columns named in `numeric` are numbers, which `encode` accepts; all others are categories, and null is
    one of them. Returns `(passes · n)` rows with the columns and types of `rows`, pass by pass, each in the
    given order; fewer passes from the same generator return the first of these rows. Raises `KdError` if all
    rows are the same.
    """
    import polars as pl

    nearest = rows[nearest_other_rows(rows, numeric)]
    return pl.concat([_one_pass(rows, nearest, random, p, s, numeric) for _ in range(passes)])


def nearest_other_rows(rows: pl.DataFrame, numeric: Collection[str]) -> NDArray[np.intp]:
    """Return `(n,)` the index of each row's nearest row that is not identical to it.

    The squared distance of two rows is the sum over their columns of the squared difference of numbers,
    scaled to [0, 1] by the range of the given ones, and of 1 for categories that differ, or where only one of
    two numbers is missing. Of rows equally near, the first by value counts, so the neighbour does not depend
    on the order of the rows. The search is exact: it compares all pairs of distinct rows, and categories by
    an integer for each level, so time grows with n² and memory does not grow with the number of levels.
    Raises `KdError` if all rows are the same.
    """
    import numpy as np

    codes = np.stack([rows[name].rank("dense").fill_null(0).to_numpy() for name in rows.columns], 1)
    levels, places, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    if len(places) < 2:
        raise KdError(
            "MUNGE needs at least two different rows: it changes each row towards its nearest other row",
            "use more training rows, or keep more columns",
        )
    numbers, categories = [], []
    for name, level in zip(rows.columns, levels.T, strict=True):
        if name in numeric:
            values = _as_floats(rows[name])[places]
            low, high = np.fmin.reduce(values), np.fmax.reduce(values)  # NaN if all values are missing
            numbers.append((values - low) / (high - low or 1))
            level = np.isnan(values)
        categories.append(level.astype(np.min_scalar_type(level.max())))
    return places[_nearest(numbers, categories)[inverse.reshape(-1)]]


def _nearest(numbers: Sequence[NDArray[np.float64]], categories: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """Return `(n,)` the nearest other row of each of n rows, from their columns of shape `(n,)`."""
    import numpy as np

    n = len(categories[0])
    nearest = np.empty(n, np.intp)
    height = max(1, PAIRS // n)
    for start in range(0, n, height):
        block = np.arange(start, min(start + height, n))
        differing = np.zeros((len(block), n), np.uint16)
        for category in categories:
            differing += np.not_equal.outer(category[block], category)
        distances = differing.astype(np.float64)
        for number in numbers:
            gap = np.subtract.outer(number[block], number)
            gap *= gap
            if np.isnan(number).any():
                gap[np.isnan(gap)] = 0  # one of two missing is counted as a category that differs
            distances += gap
        distances[block - start, block] = np.inf
        nearest[block] = distances.argmin(1)
    return nearest


def _one_pass(
    rows: pl.DataFrame,
    nearest: pl.DataFrame,
    random: np.random.Generator,
    p: float,
    s: float,
    numeric: Collection[str],
) -> pl.DataFrame:
    """Return one new row for each of the `rows`, whose neighbours are the rows of `nearest`."""
    import polars as pl

    columns = []
    for own, other in zip(rows, nearest, strict=True):
        changed = pl.Series(random.random(rows.height) < p)
        new = _drawn(own, other, random, s) if own.name in numeric else other
        columns.append(new.zip_with(changed, own))
    return pl.DataFrame(columns)


def _drawn(own: pl.Series, other: pl.Series, random: np.random.Generator, s: float) -> pl.Series:
    """Draw numbers around those of the neighbours: whole numbers if all of the column are whole."""
    import numpy as np
    import polars as pl

    values, centres = _as_floats(own), _as_floats(other)
    draws = centres + np.abs(values - centres) / s * random.standard_normal(len(own))
    given = values[~np.isnan(values)]
    if (given == np.rint(given)).all():
        draws = np.rint(draws)
    new = pl.Series(own.name, draws).cast(own.dtype, strict=False)  # null where the type cannot hold a draw
    held = new.is_not_null() & pl.Series(np.abs(draws) <= LARGEST)
    return new.zip_with(held, other)


def _as_floats(numbers: pl.Series) -> NDArray[np.float64]:
    """Return numbers as float64, with NaN where they are missing."""
    import polars as pl

    floats: NDArray[np.float64] = numbers.cast(pl.Float64).to_numpy()
    return floats
