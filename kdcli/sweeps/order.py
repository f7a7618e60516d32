"""The order in which the runs of a study are made, and the runs of a shard."""

import os
import re
from collections.abc import Sequence

from kdcli.errors import UsageError
from kdcli.runs.studies import teacher_key
from kdcli.runs.vary import Planned

SLURM = "slurm"
VARIABLES = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT")
STEP = "SLURM_ARRAY_TASK_STEP"  # the step between task numbers, as in --array=0-30:2


def ordered(runs: Sequence[Planned]) -> list[Planned]:
    """Order runs so that one for each teacher comes first: teachers are then trained in parallel."""
    first: dict[str, Planned] = {}
    for run in runs:
        first.setdefault(teacher_key(run.recipe), run)
    leaders = {run.name: run for run in first.values()}
    return [*leaders.values(), *(run for run in runs if run.name not in leaders)]


def shard_of(runs: Sequence[Planned], shard: str) -> list[Planned]:
    """Return the runs of a shard such as "3/16" or "slurm"; runs with the same teacher stay together.

    Raises `UsageError` for an invalid shard.
    """
    number, count = _parsed(shard)
    places: dict[str, int] = {}
    for run in runs:
        places.setdefault(teacher_key(run.recipe), len(places))
    together = sorted(runs, key=lambda run: places[teacher_key(run.recipe)])
    return together[len(runs) * (number - 1) // count : len(runs) * number // count]


def _parsed(shard: str) -> tuple[int, int]:
    if shard == SLURM:
        shard = _of_slurm()
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard, re.ASCII)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise UsageError(f"--shard: '{shard}' is not a part K/N", f"write it as 3/16, or {SLURM}")
    return number, count


def _of_slurm() -> str:
    values = [os.environ.get(name, "") for name in VARIABLES]
    if not all(value.isascii() and value.isdigit() for value in values):
        raise UsageError(
            f"--shard {SLURM}: this is not a job of an array; {', '.join(VARIABLES)} are not set",
            "submit a job array, for example with sbatch --array=1-16",
        )
    number, least, count = map(int, values)
    step = os.environ.get(STEP, "")
    apart = max(1, int(step)) if step.isascii() and step.isdigit() else 1
    return f"{(number - least) // apart + 1}/{count}"
