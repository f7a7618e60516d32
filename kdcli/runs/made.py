"""How the runs of a study were made, as their folders have it, or why they were not."""

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
    """How a run was made, as `made.json` has it: of which recipe, in how many seconds, on what machine.

    `digests` are those of its artefacts.
    """

    recipe: str
    seconds: float
    machine: Mapping[str, str]
    digests: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Read how a run was made; None if it is not there as a whole."""
        try:
            record = json.loads((run.path / MADE).read_bytes())
            made = cls(**{**record, "machine": dict(record["machine"]), "digests": dict(record["digests"])})
            return made if isinstance(made.seconds, int | float) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def is_made(run: Run, recipe: Recipe) -> bool:
    """Whether a run is there as this recipe says, and as it was when it was made."""
    made = Made.of(run)
    if made is None or made.recipe != key_of(recipe):
        return False
    try:
        return all(run.artefact(name).meta().digest == digest for name, digest in made.digests.items())
    except KdError:
        return False


def unmade(study: Study, runs: Sequence[Planned]) -> list[Planned]:
    """Return those of a study's runs that are not there as they are planned."""
    return [run for run in runs if not is_made(study.folder.run(run.name), run.recipe)]


def machines_of(made: Iterable[Made]) -> list[Mapping[str, str]]:
    """Return the different machines that runs were made on."""
    return list({repr(sorted(one.machine.items())): one.machine for one in made}.values())


def state_of(run: Run, recipe: Recipe) -> str:
    """Say in a word how far a run is: planned, begun, failed, made, or changed since."""
    if is_made(run, recipe):
        return "made"
    if Made.of(run):
        return "changed"
    if (run.path / FAILED).is_file():
        return "failed"
    return "begun" if run.recipe_path.is_file() else "planned"


def failure_of(run: Run) -> tuple[str, str]:
    """Return why a run failed, and what helps; empty if it did not."""
    try:
        record: Any = json.loads((run.path / FAILED).read_bytes())
        return str(record["error"]), str(record["hint"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""
