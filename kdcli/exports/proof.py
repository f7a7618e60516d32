"""Proof that an exported student predicts the same as in kd: the file is run, and the results compared."""

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

NEAR = TOLERANCE  # if the two highest probabilities differ by less, either class is accepted
THRESHOLDS = 300  # of trees, for which there are examples exactly at and next to the threshold
SECONDS = 30  # roughly the time for running an export


@dataclass(frozen=True)
class Proof:
    """How an export compares with the student in kd.

    by           the program that ran it
    tested       number of test examples that it was run on, out of `of`
    made         number of synthetic examples: golden vectors, and rows at thresholds of trees
    difference   the largest difference of a probability
    near         examples whose two highest probabilities differ by less than 1e-5; `near_alike` of them have
                 the same class in both. All other examples have the same class
    size         bytes of the file
    built        bytes of code and data that it was compiled to; None if it was not compiled
    median_us    microseconds that the prediction of one row takes; `p95_us` is the 95th percentile
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
    """Return features `(n, features)` at the thresholds of a student's trees; no rows for other students."""
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
    """Run an export on synthetic rows and on the first of `of` test examples, and compare with kd.

    A prediction takes this number of `operations`, which determines how many test examples can be run in
    about SECONDS. Raises `KdError` if the export disagrees with kd.
    """
    size = os.path.getsize(path)
    if kind.run is None:
        return Unproven("it is text for people, which no program runs", size)
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
    """Return the largest difference, a mask of near ties, and a mask of rows with the same class.

    Raises `KdError` if a difference is too large, or if a class differs although there is no near tie.
    """
    if ran.p.shape != rows.p.shape or not np.isfinite(ran.p).all():
        raise KdError(f"{ran.by} does not return probabilities for each row", REPORT)
    differences = np.abs(ran.p - rows.p).max(1)
    ordered = np.sort(rows.p, axis=1)
    near = ordered[:, -1] - ordered[:, -2] < NEAR
    alike = ran.predicted == rows.p.argmax(1)
    for wrong, what in (
        (differences > TOLERANCE, "different probabilities"),
        (~alike & ~near, "a different class"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            place = f"synthetic row {row + 1}" if row < made else f"test example {row - made + 1}"
            raise KdError(
                f"the export disagrees with the student: {ran.by} has {what} for "
                f"{counted(int(wrong.sum()), 'row')} of {len(rows.p):,}, first {place} "
                f"({_written(ran.p[row])}, not {_written(rows.p[row])})",
                REPORT,
            )
    return float(differences.max(initial=0.0)), near, alike


def _written(p: Sequence[float]) -> str:
    return ", ".join(f"{value:.6f}" for value in p[:5]) + (", …" if len(p) > 5 else "")
