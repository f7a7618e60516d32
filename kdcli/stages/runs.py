"""`kd runs`: the runs of an outputs folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdcli.errors import Command, KdError
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.told import Line, Told
from kdcli.report.words import iso, minute, place
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import DATA, STUDENTS, TEACHER
from kdcli.runs.stored import Data, TrainedTeacher
from kdcli.store import Extent, Run, Store, extent, marker_problem, run_folders, study_runs
from kdcli.words import counted, readable_size

HEAD = Column("run", left=True, folds=True)


@dataclass(frozen=True)
class RunListed:
    """A summary of one run; `dataset` and `teacher` are empty if they are missing or unreadable.

    `problem` says why something is unreadable.
    """

    name: str
    path: Path
    current: bool
    dataset: str
    teacher: str
    student_sets: int
    extent: Extent
    problem: str

    def row(self) -> Row:
        """Return the row of a table."""
        cells = [
            self.dataset,
            self.teacher,
            str(self.student_sets),
            readable_size(self.extent.size),
            minute(iso(self.extent.written)),
        ]
        title = Cell(self.name, emphasis="strong" if self.current else "")
        return Row(title, list(map(Cell, cells)), mark="*" if self.current else "")

    def document(self) -> dict[str, Any]:
        """Return what is known of the run."""
        return {
            "name": self.name,
            "path": self.path,
            "current": self.current,
            "dataset": self.dataset or None,
            "teacher": self.teacher or None,
            "student_sets": self.student_sets,
            "size": self.extent.size,
            "written": iso(self.extent.written),
            "problem": self.problem or None,
        }


@dataclass(frozen=True)
class RunsListed:
    """The runs of an outputs folder, and the number of runs in each of its `studies`; `start` makes a run."""

    path: Path
    runs: Sequence[RunListed]
    problem: str
    start: Command
    studies: Mapping[str, int] = field(default_factory=dict)

    def told(self) -> Iterator[Told]:
        """Return a table of the runs, and what could not be read."""
        if self.runs:
            columns = [
                Column("dataset", left=True),
                Column("teacher", left=True, folds=True),
                Column("sets"),
                Column("size"),
                Column("last written", left=True),
            ]
            yield Table(columns, [Section([run.row() for run in self.runs])], head=HEAD)
            if any(run.current for run in self.runs):
                yield "* the current run: commands work on it unless --run or KD_RUN names another"
        elif not self.studies:
            yield Line((f"there are no runs in {place(self.path)}; ", self.start, " makes one"))
        for name, count in self.studies.items():
            yield Line((f"study {name}: {counted(count, 'run')}; ", Command("runs", (name,)), " lists them"))
        if self.problem:
            yield self.problem
        yield from (f"{run.name}: {run.problem}" for run in self.runs if run.problem)

    def document(self) -> dict[str, Any]:
        """Return the runs, and which is current."""
        return {
            "path": self.path,
            "current": next((run.name for run in self.runs if run.current), None),
            "runs": [run.document() for run in self.runs],
            "studies": [{"name": name, "runs": count} for name, count in self.studies.items()],
            "problem": self.problem or None,
        }


def list_runs(store: Store) -> RunsListed:
    """Return every run of an outputs folder, readable or not."""
    problem = marker_problem(store)
    current = "" if problem else store.current
    runs = [_listed(Run(store, name), current) for name in run_folders(store)]
    studies = {study: len(study_runs(store, study)) for study in store.studies()}
    return RunsListed(store.root, runs, problem, store.command("run", "gaussians"), studies)


def _listed(run: Run, current: str) -> RunListed:
    experiment = Experiment.open(run)
    problems: list[str] = []

    def told(read: Callable[[], str]) -> str:
        """Return what `read` returns; if it fails, note the problem and return an empty text."""
        try:
            return read()
        except KdError as error:
            problems.append(error.message)
            return ""

    planned = told(lambda: experiment.recipe.dataset)
    sets = told(lambda: str(sum(artefact.finished for artefact in run.artefacts(STUDENTS))))
    return RunListed(
        name=run.name,
        path=run.path,
        current=run.name == current,
        dataset=told(lambda: _data_name(experiment)) or planned,
        teacher=told(lambda: _teacher_model(experiment)),
        student_sets=int(sets or 0),
        extent=extent(run.path),
        problem="; ".join(dict.fromkeys(problems)),
    )


def _data_name(experiment: Experiment) -> str:
    stored = experiment.stored(DATA)
    return stored.description.name if isinstance(stored, Data) else ""


def _teacher_model(experiment: Experiment) -> str:
    stored = experiment.stored(TEACHER)
    return str(stored.model) if isinstance(stored, TrainedTeacher) else ""
