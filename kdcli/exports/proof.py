"""Proof that an exported student says what it says in kd: what runs the file is asked, and compared."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdcli.errors import KdError
from kdcli.exports.kind import TOLERANCE, Exported, FormatKind, NotAtHandError, Ran, Rows
from kdcli.exports.made import at_thresholds
from kdcli.exports.process import REPORT
from kdcli.words import counted

NEAR = TOLERANCE  # difference of the two highest probabilities below which the class may be either
THRESHOLDS = 300  # of trees, on which and beside which examples are put
SECONDS = 30  # that running an export may take, roughly


@dataclass(frozen=True)
class Proof:
    """How an export compares with the student in kd.

    by           what ran it
    tested       test examples that it was run on, `of` so many
    made         further examples: golden vectors, and those at thresholds of trees
    difference   the largest of a probability
    near         examples whose two most probable classes differ by less than 1e-5, and `near_alike` those of
                 them whose class is the same all the same. Of all others the class is the same
    size         bytes
    built        bytes of code and data that it was compiled to; None where it was not
    median_us    microseconds that the prediction of one row takes, and the 95th percentile
    """

    by: str
    tested: int
    of: int
    made: int
    difference: float
    near: int
    near_alike: int
    size: int
    built: int | None
    median_us: float
    p95_us: float


@dataclass(frozen=True)
class Unproven:
    """Why an export could not be run."""

    why: str
    size: int


def at_edges(student: Exported, random: np.random.Generator) -> np.ndarray:
    """Return features `(n, features)` at the thresholds of a student's trees; none of other students."""
    trees = student.computation.trees
    if trees is None or student.is_bytes:
        return student.x[:0]
    numbers = [
        column.kind == "number" and not k for column in student.columns for k in range(len(column.features))
    ]
    measured = np.array(numbers) if student.columns else np.ones(student.x.shape[1], dtype=bool)
    return at_thresholds(trees, measured, student.x, THRESHOLDS, random)


def prove(
    kind: FormatKind, path: Path, student: Exported, made: Rows, test: Rows, of: int, operations: int
) -> Proof | Unproven:
    """Run an export on made rows and on test examples, the first `of` so many.

    A prediction takes so many `operations`: as many test examples are taken as can be run in a while. Raises
    `KdError` where the export says something else than kd.
    """
    size = os.path.getsize(path)
    if kind.run is None:
        return Unproven("it is text to be read, which nothing runs", size)
    most = max(1, int(SECONDS * kind.speed / operations))
    tested = test.first(most)
    rows = made + tested
    try:
        ran = kind.run(path, student, rows)
    except NotAtHandError as error:
        return Unproven(str(error), size)
    difference, near, alike = _compared(ran, rows, len(made.x))
    latencies = sorted(ran.latencies)
    return Proof(
        by=ran.by,
        tested=len(tested.x),
        of=of,
        made=len(made.x),
        difference=difference,
        near=int(near.sum()),
        near_alike=int((near & alike).sum()),
        size=size,
        built=ran.built,
        median_us=statistics.median(latencies),
        p95_us=latencies[int(0.95 * (len(latencies) - 1))],
    )


def _compared(ran: Ran, rows: Rows, made: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the largest difference, which rows are near ties, and which have the same class.

    Raises `KdError` for a difference that is too large, and for another class where there is no near tie.
    """
    if ran.p.shape != rows.p.shape or not np.isfinite(ran.p).all():
        raise KdError(f"{ran.by} does not answer each row with probabilities", REPORT)
    differences = np.abs(ran.p - rows.p).max(1)
    ordered = np.sort(rows.p, axis=1)
    near = ordered[:, -1] - ordered[:, -2] < NEAR
    alike = ran.predicted == rows.p.argmax(1)
    for wrong, what in ((differences > TOLERANCE, "other probabilities"), (~alike & ~near, "another class")):
        if wrong.any():
            row = int(wrong.argmax())
            place = f"made row {row + 1}" if row < made else f"test example {row - made + 1}"
            raise KdError(
                f"the export disagrees with the student: {ran.by} has {what} for "
                f"{counted(int(wrong.sum()), 'row')} of {len(rows.p):,}, first {place} "
                f"({_written(ran.p[row])}, not {_written(rows.p[row])})",
                REPORT,
            )
    return float(differences.max(initial=0.0)), near, alike


def _written(p: Sequence[float]) -> str:
    return ", ".join(f"{value:.6f}" for value in p[:5]) + (", …" if len(p) > 5 else "")
