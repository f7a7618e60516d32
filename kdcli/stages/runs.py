"""`kd runs`: the runs of an outputs folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdcli.errors import KdError
from kdcli.runs.artefacts import read_meta, run_recipe
from kdcli.runs.schema import describe
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
    start: str


def list_runs(store: Store) -> RunsListed:
    """Return every run of an outputs folder, legible or not."""
    problem = marker_problem(store)
    current = "" if problem else store.current
    runs = [_listed(Run(store, name), current) for name in run_folders(store)]
    return RunsListed(store.root, runs, problem, f"kd run gaussians{store.flag}")


def _listed(run: Run, current: str) -> RunListed:
    problems: list[str] = []
    dataset, teacher, sets = "", "", 0
    try:
        dataset = run_recipe(run).dataset
    except KdError as error:
        problems.append(error.message)
    data = run.artefact("data")
    try:  # what the data are is known better from themselves
        dataset = describe(read_meta(data)).name if data.finished else dataset
    except KdError as error:
        problems.append(error.message)
    teacher = _configured(run, "teacher", "model", problems)
    try:
        sets = sum(students.finished for students in run.students())
    except OSError as error:
        problems.append(f"{run.path / 'students'} cannot be read: {error.strerror}")
    return RunListed(
        name=run.name,
        path=run.path,
        current=run.name == current,
        dataset=dataset,
        teacher=teacher,
        student_sets=sets,
        extent=extent(run.path),
        problem="; ".join(problems),
    )


def _configured(run: Run, name: str, key: str, problems: list[str]) -> str:
    """Return a word of an artefact's configuration; empty, and a problem told, where there is none."""
    artefact = run.artefact(name)
    try:
        return str(read_meta(artefact).config[key]) if artefact.finished else ""
    except KdError as error:
        problems.append(error.message)
    return ""
