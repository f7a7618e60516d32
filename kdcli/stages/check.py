"""`kd check`: compare every file of every artefact with its digest in `meta.json`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from kdcli.errors import Command, unknown
from kdcli.report.items import item_document, paths, problems, state_cell, states_document, training_states
from kdcli.report.told import Line, Told
from kdcli.report.words import place
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
    study_runs,
)
from kdcli.words import counted


@dataclass(frozen=True)
class RunChecked:
    """The states of a run's artefacts, unfinished trainings, and leftovers of interrupted commands."""

    run: str
    artefacts: Sequence[Item]
    states: Sequence[KeptState]
    leftovers: Sequence[Path]

    def told(self) -> Iterator[Told]:
        """Return each artefact's state, what is wrong, and what can be resumed."""
        yield f"run {self.run}"
        yield from (f"  {state_cell(item).text:<10}  {item.name}" for item in self.artefacts)
        yield from problems(self.artefacts)
        yield from training_states(self.states)
        yield from paths(self.leftovers)

    def document(self) -> dict[str, Any]:
        """Return each artefact's state, and what can be resumed."""
        return {
            "run": self.run,
            "artefacts": [item_document(item) for item in self.artefacts],
            **states_document(self.states),
            "leftovers": self.leftovers,
        }


@dataclass(frozen=True)
class Checked:
    """The result of a check; `problem` and `leftovers` concern the outputs folder itself."""

    path: Path
    runs: Sequence[RunChecked]
    problem: str
    leftovers: Sequence[Path]
    start: Command

    @property
    def damaged(self) -> int:
        """The number of damaged artefacts and other files."""
        return self._in_state("damaged") + bool(self.problem)

    @property
    def older(self) -> int:
        """The number of artefacts that could not be checked because an earlier kd wrote them."""
        return self._in_state("older")

    @property
    def newer(self) -> int:
        """The number of artefacts that could not be checked because a newer kd wrote them."""
        return self._in_state("newer")

    def told(self) -> Iterator[Told]:
        """Return the state of each run and of the outputs folder, and how much is damaged."""
        if not self.runs:
            yield Line((f"there are no runs in {place(self.path)}; ", self.start, " makes one"))
        for run in self.runs:
            yield from run.told()
        yield from paths(
            self.leftovers, "left by an interrupted deletion or write; harmless, and safe to delete:"
        )
        if self.problem:
            yield Line((f"damaged: {self.problem}; any ", Command("gen-data"), " rewrites it"))
        if self.runs:
            parts = [f"{self.damaged} damaged" if self.damaged else "no damage found"]
            for count, age in ((self.newer, "a newer"), (self.older, "an earlier")):
                if count:
                    parts.append(f"{counted(count, 'artefact')} by {age} kd could not be checked")
            yield "; ".join(parts)

    def document(self) -> dict[str, Any]:
        """Return the state of each run and of the outputs folder."""
        return {
            "runs": [run.document() for run in self.runs],
            "problems": [self.problem] if self.problem else [],
            "leftovers": self.leftovers,
            "damaged": self.damaged,
            "older": self.older,
            "newer": self.newer,
        }

    def _in_state(self, state: State) -> int:
        return sum(item.state == state for run in self.runs for item in run.artefacts)


def check(store: Store, name: str | None = None) -> Checked:
    """Check a run or study, or all runs and the outputs folder; raises `KdError` if there is no such run."""
    of_studies = {study: study_runs(store, study) for study in store.studies()}
    names = [*run_folders(store), *chain(*of_studies.values())]
    wanted = names
    if name is not None:
        store.run(name)
        wanted = of_studies.get(name, [name])
        if not set(wanted) <= set(names):
            raise unknown("run", name, [*run_folders(store), *of_studies])
    runs = [Run(store, wanted_name) for wanted_name in wanted]
    return Checked(
        path=store.root,
        runs=[_checked(run) for run in runs],
        problem=marker_problem(store) if name is None else "",
        leftovers=root_leftovers(store) if name is None else [],
        start=store.command("run", "gaussians"),
    )


def _checked(run: Run) -> RunChecked:
    return RunChecked(run.name, inventory(Experiment.open(run)), kept_states(run), leftovers(run))
