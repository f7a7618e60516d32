"""An engine that makes the runs of a study in several processes on this machine."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import IO

from kdcli.runs.studies import PORTABLE, Study
from kdcli.runs.vary import Planned
from kdcli.sweeps.making import SAME_INSTRUCTIONS, Outcome, Task
from kdcli.sweeps.sweep import Engine

ATTEMPTS = 3  # at a run whose processes die
PAUSE = 0.5  # seconds before a run that another process is making is tried again
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "KD_JOBS": "1"}


def engine(jobs: int) -> Engine:
    """Return an engine that makes runs in the given number of processes on this machine."""

    def make_here(
        study: Study, runs: Sequence[Planned], heard: Callable[[int, Outcome | None], None]
    ) -> None:
        make_all([Task.of(study, run) for run in runs], jobs, heard)

    return make_here


def make_all(tasks: Sequence[Task], jobs: int, heard: Callable[[int, Outcome | None], None]) -> None:
    """Make runs in `jobs` processes; `heard` is called with the number of running tasks and each outcome.

    A process that dies is replaced, and its run is started again, up to `ATTEMPTS` times. Runs that another
    command is making are waited for last.
    """
    pool = _Pool(min(jobs, len(tasks)), heard, deque(tasks))
    try:
        pool.work()
    finally:
        pool.close()


@dataclass
class _Worker:
    """A process that makes runs, its current task, and its standard error output."""

    process: subprocess.Popen[str]
    troubles: IO[bytes]
    task: Task | None = None

    @classmethod
    def start(cls, reproducible: str) -> "_Worker":
        troubles = tempfile.TemporaryFile()  # noqa: SIM115 it is closed with the process
        portable = SAME_INSTRUCTIONS if reproducible == PORTABLE else {}
        process = subprocess.Popen(  # noqa: S603 our own interpreter
            [sys.executable, "-m", "kdcli.sweeps.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=troubles,
            text=True,
            env={**os.environ, **ENVIRONMENT, **portable},
        )
        return cls(process, troubles)

    def give(self, task: Task) -> None:
        self.task = task
        with suppress(BrokenPipeError):  # the process is dead, which `_read` will notice
            print(json.dumps(asdict(task)), file=self.process.stdin, flush=True)

    def last_words(self) -> str:
        """Describe how the process died."""
        self.troubles.seek(0)
        told = self.troubles.read().decode(errors="replace").strip()
        code = self.process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"the process that made it {how}" + (f":\n{told[-2000:]}" if told else "")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.troubles):
            if stream:
                stream.close()


@dataclass
class _Pool:
    """The running processes, and the tasks that wait."""

    size: int
    heard: Callable[[int, Outcome | None], None]
    waiting: deque[Task]
    busy: deque[tuple[float, Task]] = field(default_factory=deque)
    workers: list[_Worker] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    deaths: dict[str, int] = field(default_factory=dict)

    def work(self) -> None:
        while self.waiting or self.busy or any(worker.task for worker in self.workers):
            self._hand_out()
            self._tell(None)
            for key, _ in self.selector.select(PAUSE if self.busy else None):
                self._read(key.data)

    def _hand_out(self) -> None:
        """Give each idle process a task, and start processes up to the limit; tasks found busy come last."""
        while self.busy and self.busy[0][0] <= time.monotonic():
            self.waiting.append(self.busy.popleft()[1])
        while self.waiting:
            idle = next((worker for worker in self.workers if worker.task is None), None)
            if idle is None and len(self.workers) >= self.size:
                return
            if idle is None:
                idle = _Worker.start(self.waiting[0].reproducible)
                self.workers.append(idle)
                self.selector.register(idle.process.stdout, selectors.EVENT_READ, idle)  # type: ignore[arg-type]
            idle.give(self.waiting.popleft())

    def _read(self, worker: _Worker) -> None:
        """Take an outcome from a process, or note that it is dead."""
        line = worker.process.stdout.readline()  # type: ignore[union-attr]
        task = worker.task
        if not line.endswith("\n"):  # the process died, perhaps while it wrote the outcome
            self._bury(worker, task)
            return
        outcome, worker.task = Outcome(**json.loads(line)), None
        if outcome.busy and task:
            self.busy.append((time.monotonic() + PAUSE, task))
        else:
            self._tell(outcome)

    def _bury(self, worker: _Worker, task: Task | None) -> None:
        words = worker.last_words() if task else ""
        self.selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        self.workers.remove(worker)
        worker.end()
        if task is None:
            return
        self.deaths[task.name] = self.deaths.get(task.name, 0) + 1
        if self.deaths[task.name] < ATTEMPTS:
            self.waiting.appendleft(task)
        else:
            self._tell(Outcome(task.name, error=f"{words}, {ATTEMPTS} times"))

    def _tell(self, outcome: Outcome | None) -> None:
        self.heard(sum(worker.task is not None for worker in self.workers), outcome)

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.selector.close()
