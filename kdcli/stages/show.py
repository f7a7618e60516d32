"""`kd show`: what a run holds, and what state it is in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdcli.runs.experiment import Experiment
from kdcli.runs.inventory import Item, KeptState, inventory, kept_states
from kdcli.store import Extent, extent, is_current, leftovers, other_files


@dataclass(frozen=True)
class File:
    """A file that is no artefact's: the recipe, a report, a figure."""

    path: Path
    extent: Extent


@dataclass(frozen=True)
class RunShown:
    """What a run holds; `sizes` are those of the items, in bytes."""

    run: str
    path: Path
    current: bool
    extent: Extent
    items: Sequence[Item]
    sizes: Sequence[int]
    files: Sequence[File]
    states: Sequence[KeptState]
    leftovers: Sequence[Path]


def show_run(experiment: Experiment) -> RunShown:
    """Return what a run holds, every file compared with its digest."""
    run, items = experiment.run, inventory(experiment)
    return RunShown(
        run=run.name,
        path=run.path,
        current=is_current(run),
        extent=extent(run.path),
        items=items,
        sizes=[extent(item.path).size for item in items],
        files=[File(path, extent(path)) for path in other_files(run)],
        states=kept_states(run),
        leftovers=leftovers(run),
    )
