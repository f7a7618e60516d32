"""`kd sweep`: make the missing runs of a study."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kdcli.errors import Command, KdError, UsageError
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.told import Line, Told
from kdcli.report.words import place, seconds
from kdcli.runs.experiment import Experiment
from kdcli.runs.made import Made, failure_of, is_made, machines_of, unmade
from kdcli.runs.recipe_text import dump
from kdcli.runs.studies import EXACT, Study, key_of, teacher_key
from kdcli.runs.vary import Planned
from kdcli.settings import shown
from kdcli.store import Run, Store, StudyFolder
from kdcli.sweeps.making import Outcome, Task, keep_failure, make
from kdcli.sweeps.order import ordered, shard_of
from kdcli.words import counted, plural

LISTED = 40  # runs of a plan, or failures, that are listed

Progress = Callable[[int, int, int], None]
"""Called with the numbers of finished, running and failed runs."""

Engine = Callable[[Study, Sequence[Planned], Callable[[int, Outcome | None], None]], None]
"""Makes runs of a study, and reports each outcome with the number of running tasks."""


@dataclass(frozen=True)
class Failure:
    """A run that could not be made: the error, and the command that makes it by itself.

    If another run stands in its place and does not fit the plan, the command deletes that run.
    """

    name: str
    error: str
    hint: str
    alone: Command
    fits: bool = True


@dataclass(frozen=True)
class Swept:
    """The result of `kd sweep`: of the `wanted` runs, `there` exist, and `made` of these are new."""

    study: Study
    wanted: Sequence[Planned]
    made: int
    there: int
    seconds: float
    failures: Sequence[Failure]
    machines: Sequence[Mapping[str, str]]

    def told(self) -> Iterator[Told]:
        """Return how many runs exist, which failed, and what to do next."""
        folder, total = self.study.folder, len(self.wanted)
        took = f", {self.made} of them now in {seconds(self.seconds)}" if self.made else ""
        part = "" if total == len(self.study.runs) else f" of this part of {len(self.study.runs):,}"
        yield f"study {folder.name}: {self.there:,} of {total:,} {plural(total, 'run')}{part} made{took}"
        for failure in self.failures[:LISTED]:
            yield Line(f"! {failure.name}: {failure.error}", wrap=True)
            if failure.hint:
                yield Line(f"  {failure.hint}", wrap=True)
            yield Line(
                ("  to try it alone: " if failure.fits else "  delete it to repeat it: ", failure.alone)
            )
        if len(self.failures) > LISTED:
            yield f"! and {len(self.failures) - LISTED} more"
        if len(self.machines) > 1:
            yield Line(f"! {machines_text(self.machines)}", wrap=True)
        if self.there:
            yield Line((folder.store.command("compare", folder.name), " compares them."))
        yield f"in {place(folder.path)}"

    def document(self) -> dict[str, Any]:
        """Return the counts and the failures."""
        return {
            "study": self.study.folder.name,
            "path": self.study.folder.path,
            "runs": len(self.wanted),
            "there": self.there,
            "made": self.made,
            "seconds": round(self.seconds, 3),
            "failed": [
                {"name": failure.name, "error": failure.error, "hint": failure.hint}
                for failure in self.failures
            ],
            "machines": list(self.machines),
        }


def machines_text(machines: Sequence[Mapping[str, str]]) -> str:
    """Describe how the machines that made the runs differ."""
    first = machines[0]
    keys = [key for key in first if any(other.get(key) != first[key] for other in machines)]
    told = "; ".join(f"{key} {', '.join(sorted({str(m.get(key)) for m in machines}))}" for key in keys)
    return f"These runs were made by different machines, and may differ in the last bits: {told}."


def sweep(
    study: Study,
    engine: Engine,
    *,
    shard: str = "",
    progress: Progress = lambda over, at_work, failed: None,
) -> Swept:
    """Make the missing runs of a study, or of a shard of it.

    A failed run does not stop the others. Raises `KdError` if the folder has a study with another plan.
    """
    study.store()
    start = time.perf_counter()
    wanted = shard_of(study.runs, shard) if shard else list(study.runs)
    missing = unmade(study, ordered(wanted))
    over = Counter({"over": len(wanted) - len(missing), "failed": 0, "made": 0})
    failed: dict[str, Outcome] = {}

    def heard(at_work: int, outcome: Outcome | None) -> None:
        if outcome:
            over["over"] += 1
            over["made"] += outcome.made
            if outcome.error:
                failed[outcome.name] = outcome
            over["failed"] = len(failed)
        progress(over["over"], at_work, over["failed"])

    progress(over["over"], 0, 0)
    if missing:
        engine(study, missing, heard)
    for run in missing:
        if run.name in failed:
            _keep(study, run, failed[run.name])
    return _swept(study, wanted, over["made"], time.perf_counter() - start, failed)


def _keep(study: Study, planned: Planned, outcome: Outcome) -> None:
    """Store a failure that the process of the run could not store itself, because it died."""
    run = study.folder.run(planned.name)
    if failure_of(run) != (outcome.error, outcome.hint):
        with suppress(KdError):
            keep_failure(run, dump(planned.recipe), outcome)


def _swept(
    study: Study, wanted: Sequence[Planned], made_now: int, took: float, failed: Mapping[str, Outcome]
) -> Swept:
    """Return which runs exist now, and which failed now or before."""
    folder, failures, there = study.folder, [], list[Made]()
    for planned in wanted:
        run = folder.run(planned.name)
        if is_made(run, planned.recipe) and (made := Made.of(run)):
            there.append(made)
        elif (error := _failure(run, failed.get(planned.name)))[0]:
            fits = _fits(run, planned)
            by_itself = folder.store.command("run", str(run.recipe_path), run=run.name)
            alone = by_itself if fits else folder.store.command("delete", run.name)
            failures.append(Failure(planned.name, *error, alone, fits))
    return Swept(study, wanted, made_now, len(there), took, failures, machines_of(there))


def _fits(run: Run, planned: Planned) -> bool:
    """Whether the run in this place has the planned recipe, and is not a finished run that was changed."""
    if Made.of(run):
        return False
    try:
        return key_of(Experiment.open(run).recipe) == key_of(planned.recipe)
    except KdError:
        return False


def _failure(run: Run, outcome: Outcome | None) -> tuple[str, str]:
    return (outcome.error, outcome.hint) if outcome else failure_of(run)


@dataclass(frozen=True)
class SweepPlan:
    """The plan of a sweep: its runs, and the seconds for `each` run and for each `teacher`.

    The times are those of the run `sample`. `there` is the number of runs that exist already.
    """

    study: Study
    runs: Sequence[Planned]
    there: int
    jobs: int
    sample: str
    each: float
    teacher: float

    @property
    def estimate(self) -> float:
        """The seconds for all runs, with each teacher trained once."""
        teachers = len({teacher_key(run.recipe) for run in self.runs})
        return (len(self.runs) * self.each + teachers * self.teacher) / min(self.jobs, len(self.runs))

    def told(self) -> Iterator[Told]:
        """Return the runs and the estimate."""
        keys = list(self.study.varied)
        rows = [
            Row(Cell(run.name), [Cell(_value(run.varied.get(key))) for key in keys])
            for run in self.runs[:LISTED]
        ]
        yield Table(
            [Column(key, left=True) for key in keys],
            [Section(rows)],
            head=Column("run", left=True, folds=True),
        )
        if len(self.runs) > LISTED:
            yield f"and {len(self.runs) - LISTED:,} more"
        teachers = counted(len({teacher_key(run.recipe) for run in self.runs}), "teacher")
        there = f"; {self.there:,} more are made already" if self.there else ""
        yield f"{counted(len(self.runs), 'run')} with {teachers}{there}; nothing was written"
        yield (
            f"about {_duration(self.estimate)} with --jobs {self.jobs}, estimated from {self.sample}: "
            f"{seconds(self.each)}, and {seconds(self.teacher)} for its data and teacher"
        )

    def document(self) -> dict[str, Any]:
        """Return the runs and the estimate."""
        runs = [{"name": run.name, "varied": dict(run.varied)} for run in self.runs]
        return {"runs": runs, "seconds": round(self.estimate, 1), "jobs": self.jobs}


def look(study: Study, *, jobs: int, shard: str = "") -> SweepPlan:
    """Return the plan of a sweep; one run is made in a temporary folder to estimate the time."""
    wanted = shard_of(study.runs, shard) if shard else list(study.runs)
    if not wanted:
        raise UsageError(f"--shard {shard}: this part has no runs", f"the study has {len(study.runs)} runs")
    runs = unmade(study, wanted) or wanted
    with tempfile.TemporaryDirectory() as folder:
        sample = runs[len(runs) // 2]
        made = make(replace(Task.of(study, sample), root=folder, reproducible=EXACT))
        if made.error:
            raise KdError(f"{sample.name}: {made.error}", made.hint)
        there = StudyFolder(Store(Path(folder)), study.folder.name).run(sample.name)
        metas = [there.artefact(name) for name in ("data", "teacher")]
        teacher = sum(meta.meta().seconds for meta in metas if meta.finished)
    return SweepPlan(
        study, runs, len(wanted) - len(runs), jobs, sample.name, max(0.0, made.seconds - teacher), teacher
    )


def _value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else shown(value)


def _duration(value: float) -> str:
    if value < 100:
        return seconds(value)
    minutes = value / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
