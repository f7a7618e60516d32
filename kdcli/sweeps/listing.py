"""`kd runs STUDY`: the runs of a study and their progress."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kdcli.report.table import Cell, Column, Emphasis, Row, Section, Table
from kdcli.report.told import Told
from kdcli.report.words import place, seconds
from kdcli.runs.made import Made, failure_of, state_of
from kdcli.runs.studies import Study
from kdcli.store import Store, StudyFolder

EMPHASIS: dict[str, Emphasis] = {"made": "good", "failed": "bad", "at work": "strong", "planned": "weak"}
WORDS = {"at work": "running"}  # states whose word for a person differs


@dataclass(frozen=True)
class RunState:
    """The state of a run, and the seconds that it took or the error that stopped it.

    The state is "planned", "begun", "at work", "failed", "made", or "changed" after it was made.
    """

    name: str
    state: str
    seconds: float | None
    error: str


@dataclass(frozen=True)
class StudyListed:
    """The runs of a study in the order of its plan."""

    study: Study
    runs: Sequence[RunState]

    def told(self) -> Iterator[Told]:
        """Return a table of the runs, and how many are in each state."""
        columns = [Column("state", left=True), Column("took"), Column("error", left=True, folds=True)]
        rows = [
            Row(
                Cell(run.name),
                [
                    Cell(WORDS.get(run.state, run.state), emphasis=EMPHASIS.get(run.state, "")),
                    Cell("" if run.seconds is None else seconds(run.seconds)),
                    Cell(run.error.strip().splitlines()[-1] if run.error else ""),
                ],
            )
            for run in self.runs
        ]
        yield Table(columns, [Section(rows)], head=Column("run", left=True, folds=True))
        yield f"study {self.study.folder.name}: {counts_text(self.runs)}; in {place(self.study.folder.path)}"

    def document(self) -> dict[str, Any]:
        """Return the runs."""
        runs = [
            {"name": run.name, "state": run.state, "seconds": run.seconds, "error": run.error or None}
            for run in self.runs
        ]
        return {"study": self.study.folder.name, "path": self.study.folder.path, "runs": runs}


def counts_text(runs: Sequence[RunState]) -> str:
    """Write how many runs are in each state: "12 made, 2 running, 46 planned"."""
    counts = Counter(run.state for run in runs)
    states = sorted(counts, key=_position)
    return ", ".join(f"{counts[state]:,} {WORDS.get(state, state)}" for state in states)


def _position(state: str) -> int:
    order = ("made", "at work", "begun", "changed", "failed", "planned")
    return order.index(state)


def list_study(store: Store, name: str) -> StudyListed:
    """Return the states of a study's runs; raises `KdError` if there is no study of this name."""
    study = Study.open(StudyFolder(store, name))
    states = []
    for planned in study.runs:
        run = study.folder.run(planned.name)
        made, state = Made.of(run), state_of(run, planned.recipe)
        if state != "made" and run.is_locked:
            state = "at work"
        states.append(RunState(planned.name, state, made.seconds if made else None, failure_of(run)[0]))
    return StudyListed(study, states)
