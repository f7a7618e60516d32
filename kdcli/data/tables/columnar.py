"""Tables in Parquet or in the Arrow file format."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.data.tables.missing import note_of_missing, with_nulls
from kdcli.data.tables.names import check_names
from kdcli.errors import KdError

if TYPE_CHECKING:
    import polars as pl

PARQUET = (".parquet", ".pq")
SUFFIXES = (*PARQUET, ".feather", ".arrow", ".ipc")


def _check_apart(path: Path, content: bytes, reader: str) -> None:
    """Read the table in a process of its own; raises `KdError` if that fails.

    Some damaged files crash the process that reads them, or make it write to the terminal.
    """
    code = f"import io, sys, polars; polars.{reader}(io.BytesIO(sys.stdin.buffer.read()))"
    program = [sys.executable, "-c", code]
    done = subprocess.run(program, input=content, capture_output=True, check=False)  # noqa: S603 - kd's own
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1].partition(": ")[2] if lines and done.returncode > 0 else "reading it crashes Polars"
        raise KdError(f"{path} is damaged: {why}", "write it again")


def read(
    path: Path, content: bytes, suffix: str, missing: Sequence[str]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the table, and notes on it; raises `KdError` if it is damaged or has nested columns."""
    import polars as pl

    reader = "read_parquet" if suffix in PARQUET else "read_ipc"
    _check_apart(path, content, reader)
    frame: pl.DataFrame = getattr(pl, reader)(io.BytesIO(content))
    if frame.height == 0 or frame.width == 0:
        raise KdError(f"{path} is empty", "a table has a row for each example")
    check_names(str(path), frame.columns, "for example with Polars or pandas")
    found = Counter[str]()
    columns = []
    for name, kind in frame.schema.items():
        if kind.is_nested() or kind in (pl.Binary, pl.Object):
            raise KdError(
                f"{path}, column '{name}' has the type {kind}", "write it as columns of plain values"
            )
        if kind in (pl.Time, pl.Duration):
            frame = frame.with_columns(frame[name].to_physical().cast(pl.Float64))
        text = kind in (pl.String, pl.Categorical, pl.Enum)
        column = frame[name]
        columns.append(
            with_nulls(column.cast(pl.String).str.strip_chars(), missing, found) if text else column
        )
    return pl.DataFrame(columns), tuple(note_of_missing(found))
