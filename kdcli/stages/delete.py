"""`kd delete`: remove a run, as a whole or not at all."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.errors import Command, KdError, unknown
from kdcli.report.told import Line, Told
from kdcli.report.words import place
from kdcli.runs.kinds import STUDENTS, TEACHER
from kdcli.store import Extent, Run, Store, extent, is_current, remove_run, study_runs
from kdcli.words import counted, readable_size


@dataclass(frozen=True)
class Doomed:
    """A run or study to be deleted, and what it holds; `runs` is the size of a study, None for a run."""

    run: Run
    extent: Extent
    student_sets: Sequence[str]
    teacher: bool
    current: bool
    runs: int | None = None

    @property
    def kind(self) -> str:
        """The word for it: run or study."""
        return "run" if self.runs is None else "study"

    def told(self) -> Iterator[Told]:
        """Return what is lost with the run."""
        if self.runs is not None:
            size = readable_size(self.extent.size)
            yield f"study {self.run.name}: {place(self.run.path)}, {size}"
            yield f"this deletes its {counted(self.runs, 'run')}"
            return
        held = ["data and teacher" if self.teacher else "data"]
        if self.student_sets:
            held.append(counted(len(self.student_sets), "student set"))
        held.append("recipe, figures and reports")
        yield f"run {self.run.name}: {place(self.run.path)}, {readable_size(self.extent.size)}"
        yield f"this deletes its {', '.join(held)}"
        if self.current:
            yield "it is the current run"

    @property
    def question(self) -> str:
        """The question that asks for confirmation."""
        return f"permanently delete {self.kind} {self.run.name} ({readable_size(self.extent.size)})?"


@dataclass(frozen=True)
class RunDeleted:
    """What `kd delete` removed, a run or a study; `was_current` says that no run is current now."""

    kind: str
    run: str
    path: Path
    size: int
    was_current: bool

    def told(self) -> Iterator[Told]:
        """Return what was deleted, and that no run is current if that is so."""
        yield f"deleted {self.kind} {self.run}: {readable_size(self.size)}"
        if self.was_current:
            yield Line(("no run is current now; ", Command("use", ("RUN",)), " makes one current"))

    def document(self) -> dict[str, Any]:
        """Return what was deleted."""
        return {"run": self.run, "path": self.path, "size": self.size, "was_current": self.was_current}


def to_delete(store: Store, name: str) -> Run:
    """Return the run or study of this name; raises `KdError` if it is missing, in use, or a symbolic link."""
    run = store.run(name)
    if not (run.recipe_path.is_file() or name in store.studies()):
        raise unknown("run", name, [*store.runs(), *store.studies()])
    if at_work := [named for named in study_runs(store, name) if store.run(named).is_locked]:
        raise KdError(f"a process is working on run {at_work[0]} of this study", "wait for it, or stop it")
    if run.path.is_symlink():
        raise KdError(
            f"{run.path} is a symbolic link to {run.path.resolve()}, and kd deletes no linked folders",
            f"`rm {shlex.quote(str(run.path))}` removes the link",
        )
    return run


def weigh(run: Run) -> Doomed:
    """Return what is lost with a run or study."""
    sets = [students.path.name for students in run.artefacts(STUDENTS) if students.finished]
    teacher = run.artefact(TEACHER).finished
    runs = len(study_runs(run.store, run.name)) if run.name in run.store.studies() else None
    return Doomed(run, extent(run.path), sets, teacher, is_current(run), runs)


def delete_run(doomed: Doomed) -> RunDeleted:
    """Delete a run; if interrupted, the run is unchanged, or only a hidden remainder is left."""
    remove_run(doomed.run)
    return RunDeleted(doomed.kind, doomed.run.name, doomed.run.path, doomed.extent.size, doomed.current)
