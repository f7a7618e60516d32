"""Records of how the runs of a study were made, or why they failed, in the folders of the runs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from kdcli.errors import KdError
from kdcli.runs.recipe import Recipe
from kdcli.runs.studies import Study, key_of
from kdcli.runs.vary import Planned
from kdcli.store import Run

MADE, FAILED = "made.json", "failed.json"  # in the folder of a run


@dataclass(frozen=True)
class Made:
    """The record of a finished run in `made.json`: the key of its recipe, the seconds, and the machine.

    `digests` are the digests of its artefacts.
    """

    recipe: str
    seconds: float
    machine: Mapping[str, str]
    digests: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Read the record of a run; None if it is missing or invalid."""
        try:
            record = json.loads((run.path / MADE).read_bytes())
            made = cls(**{**record, "machine": dict(record["machine"]), "digests": dict(record["digests"])})
            return made if isinstance(made.seconds, int | float) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def is_made(run: Run, recipe: Recipe) -> bool:
    """Whether a run was made from this recipe, and is unchanged since."""
    made = Made.of(run)
    if made is None or made.recipe != key_of(recipe):
        return False
    try:
        return all(run.artefact(name).meta().digest == digest for name, digest in made.digests.items())
    except KdError:
        return False


def unmade(study: Study, runs: Sequence[Planned]) -> list[Planned]:
    """Return the runs of a study that are not made as planned."""
    return [run for run in runs if not is_made(study.folder.run(run.name), run.recipe)]


def machines_of(made: Iterable[Made]) -> list[Mapping[str, str]]:
    """Return the distinct machines that runs were made on."""
    return distinct(one.machine for one in made)


def distinct(records: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the different ones of some records, in their order."""
    return list({repr(sorted(record.items())): record for record in records}.values())


def state_of(run: Run, recipe: Recipe) -> str:
    """Return the state of a run in a word: planned, begun, failed, made, or changed since."""
    if is_made(run, recipe):
        return "made"
    if Made.of(run):
        return "changed"
    if (run.path / FAILED).is_file():
        return "failed"
    return "begun" if run.recipe_path.is_file() else "planned"


def failure_of(run: Run) -> tuple[str, str]:
    """Return the error of a failed run and its remedy; empty if it did not fail."""
    try:
        record: Any = json.loads((run.path / FAILED).read_bytes())
        return str(record["error"]), str(record["hint"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""
