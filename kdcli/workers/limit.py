"""The limit of the processes or threads that may compute at the same time."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kdcli.errors import UsageError

JOBS = "KD_JOBS"  # environment variable: how many tasks may run at the same time


@dataclass
class Limit:
    """The limits of this process: the number that was `allowed`, and OMP_NUM_THREADS at the start."""

    allowed: int | None = None
    threads: str | None = None


LIMIT = Limit()


def compute_on_one_thread() -> None:
    """Make libraries that are imported from now on compute on one thread by default.

    OpenMP threads wait for each other by spinning, a dozen times in every step of a small training. If
    another process uses the same processors, this takes many times as long as one thread alone.
    """
    if LIMIT.threads is None:
        LIMIT.threads = os.environ.get("OMP_NUM_THREADS", "")
    os.environ["OMP_NUM_THREADS"] = "1"


def allow(number: int | None) -> None:
    """Set how many processes or threads may compute at the same time; None is the default of `jobs`."""
    LIMIT.allowed = number


def jobs() -> int:
    """Return how many processes or threads may compute at the same time; at least 1.

    This is the number that was allowed, otherwise KD_JOBS in the environment, otherwise the number of
    processors that this process may use, according to its affinity and its control group's quota, but no more
    than OMP_NUM_THREADS. Raises `UsageError` if KD_JOBS is not a number in its range.
    """
    if LIMIT.allowed is not None:
        return LIMIT.allowed
    asked = os.environ.get(JOBS, "")
    if asked:
        if asked.isascii() and asked.isdigit() and 1 <= int(asked) <= 10_000:
            return int(asked)
        raise UsageError(
            f"{JOBS} must be a whole number from 1 to 10000, not '{asked}'", f"for example {JOBS}=2"
        )
    from joblib import cpu_count

    threads = os.environ.get("OMP_NUM_THREADS", "") if LIMIT.threads is None else LIMIT.threads
    first = threads.partition(",")[0]
    most = int(first) if first.isascii() and first.isdigit() else 0
    processors: int = cpu_count()
    return max(1, min(processors, most or processors))
