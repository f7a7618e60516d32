"""`kd check`: compare every file of every artefact with the digest that its `meta.json` has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdcli.errors import Command, unknown
from kdcli.runs.experiment import Experiment
from kdcli.runs.inventory import Item, KeptState, inventory, kept_states
from kdcli.store import (
    Run,
    State,
    Store,
    leftovers,
    marker_problem,
    root_leftovers,
    run_folders,
)


@dataclass(frozen=True)
class RunChecked:
    """What one run's artefacts came to, states of unfinished trainings, and what cut-off commands left."""

    run: str
    artefacts: Sequence[Item]
    states: Sequence[KeptState]
    leftovers: Sequence[Path]


@dataclass(frozen=True)
class Checked:
    """What a check found; `problem` and `leftovers` are of the outputs folder itself."""

    path: Path
    runs: Sequence[RunChecked]
    problem: str
    leftovers: Sequence[Path]
    start: Command

    @property
    def damaged(self) -> int:
        """How many artefacts and other files are not what kd wrote."""
        return self._in_state("damaged") + bool(self.problem)

    @property
    def older(self) -> int:
        """How many artefacts could not be checked, since an earlier kd wrote them."""
        return self._in_state("older")

    @property
    def newer(self) -> int:
        """How many artefacts could not be checked, since a newer kd wrote them."""
        return self._in_state("newer")

    def _in_state(self, state: State) -> int:
        return sum(item.state == state for run in self.runs for item in run.artefacts)


def check(store: Store, name: str | None = None) -> Checked:
    """Check one run, or all and what lies beside them; raises `KdError` if there is no such run."""
    names = run_folders(store)
    if name is not None:
        store.run(name)
        if name not in names:
            raise unknown("run", name, names)
    runs = [Run(store, wanted) for wanted in (names if name is None else [name])]
    return Checked(
        path=store.root,
        runs=[
            RunChecked(run.name, inventory(Experiment.open(run)), kept_states(run), leftovers(run))
            for run in runs
        ],
        problem=marker_problem(store) if name is None else "",
        leftovers=root_leftovers(store) if name is None else [],
        start=store.command("run", "gaussians"),
    )


def _checked(run: Run) -> RunChecked:
    return RunChecked(run.name, inventory(Experiment.open(run)), kept_states(run), leftovers(run))
