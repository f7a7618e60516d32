"""Tables in Parquet, or in Arrow's file format."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.data.tables.missing import note_of_missing, with_nulls
from kdcli.errors import KdError

if TYPE_CHECKING:
    import polars as pl

PARQUET = (".parquet", ".pq")
SUFFIXES = (*PARQUET, ".feather", ".arrow", ".ipc")


@contextmanager
def _without_backtrace() -> Iterator[None]:
    """Keep from the terminal what Polars writes to it about a damaged file besides raising an error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def read(
    path: Path, content: bytes, suffix: str, missing: Sequence[str]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the table and what was recognised; raises `KdError` for a damaged file or nested columns."""
    import polars as pl

    try:
        with _without_backtrace():
            source = io.BytesIO(content)
            frame = pl.read_parquet(source) if suffix in PARQUET else pl.read_ipc(source)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise KdError(f"{path} is damaged: {str(error).splitlines()[0]}", "write it again") from None
    if frame.height == 0 or frame.width == 0:
        raise KdError(f"{path} is empty", "a table has a row for each example")
    found = Counter[str]()
    columns = []
    for name, kind in frame.schema.items():
        if kind.is_nested() or kind in (pl.Binary, pl.Object):
            raise KdError(
                f"{path}, column '{name}' is of the type {kind}", "write it as columns of plain values"
            )
        if kind in (pl.Time, pl.Duration):
            frame = frame.with_columns(frame[name].to_physical().cast(pl.Float64))
        text = kind in (pl.String, pl.Categorical, pl.Enum)
        column = frame[name]
        columns.append(
            with_nulls(column.cast(pl.String).str.strip_chars(), missing, found) if text else column
        )
    return pl.DataFrame(columns), tuple(note_of_missing(found))
