"""`kd runs`: the runs of an outputs folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdcli.errors import Command, KdError
from kdcli.runs.experiment import Data, Experiment, TrainedTeacher
from kdcli.runs.kinds import DATA, STUDENTS, TEACHER
from kdcli.store import Extent, Run, Store, extent, marker_problem, run_folders


@dataclass(frozen=True)
class RunListed:
    """One run in a few words; `dataset` and `teacher` are empty where they are not there or not legible.

    `problem` says why something of it is not legible.
    """

    name: str
    path: Path
    current: bool
    dataset: str
    teacher: str
    student_sets: int
    extent: Extent
    problem: str


@dataclass(frozen=True)
class RunsListed:
    """The runs of an outputs folder; `start` is the command that makes one."""

    path: Path
    runs: Sequence[RunListed]
    problem: str
    start: Command


def list_runs(store: Store) -> RunsListed:
    """Return every run of an outputs folder, legible or not."""
    problem = marker_problem(store)
    current = "" if problem else store.current
    runs = [_listed(Run(store, name), current) for name in run_folders(store)]
    return RunsListed(store.root, runs, problem, store.command("run", "gaussians"))


def _listed(run: Run, current: str) -> RunListed:
    experiment = Experiment.open(run)
    problems: list[str] = []

    def told(read: Callable[[], str]) -> str:
        """Return what is read; empty, and the problem told, where that is not legible."""
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
