"""An engine that makes the runs of a study on a Dask cluster; tasks and outcomes are plain data.

If the workers see the study's folder, they write runs there themselves. Otherwise a run is made in a
temporary folder, with the shared data and teacher sent along, and its files are sent back and stored here.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kdcli.errors import KdError
from kdcli.runs.made import is_made
from kdcli.runs.studies import Study, data_key, teacher_key
from kdcli.runs.vary import Planned
from kdcli.store import Store, StudyFolder, packed, unpack
from kdcli.sweeps.local import PAUSE
from kdcli.sweeps.making import Outcome, Task, make
from kdcli.sweeps.sweep import Engine
from kdcli.training.processor import machine

AHEAD = 3  # tasks submitted at a time for each worker
PATIENCE = "10s"  # time that the scheduler has to answer
EXTRA = "pip install 'kdcli[dask]'"

Files = Mapping[str, bytes]


def engine(address: str) -> Engine:
    """Return an engine that makes runs on the cluster whose scheduler is at this address.

    The engine raises `KdError` if Dask is not installed, nothing answers at the address, or the workers have
    other versions.
    """

    def make_there(
        study: Study, runs: Sequence[Planned], heard: Callable[[int, Outcome | None], None]
    ) -> None:
        with _client(address) as client:
            check_workers(client, address)
            if sees(client, study.folder):
                _make_in_place(client, study, runs, heard)
            else:
                _Elsewhere(client, study, heard).make_all(runs)

    return make_there


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to a scheduler."""
    if not address:
        raise KdError("--engine dask needs a cluster", "name its scheduler with --address tcp://HOST:8786")
    try:
        from distributed import Client
    except ImportError:
        raise KdError("--engine dask: Dask is not installed", f"install it with `{EXTRA}`") from None
    logging.disable()  # Dask logs tracebacks of errors that are reported in a sentence here
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError, ImportError) as error:
        raise KdError(
            f"no Dask scheduler answers at {address}: {error}", "start one with `dask scheduler`"
        ) from None
    with client:
        yield client


def check_workers(client: Any, address: str) -> None:
    """Refuse a cluster without workers, with workers of several threads, or with other versions than ours."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise KdError(f"the cluster at {address} has no workers", f"start some with `dask worker {address}`")
    if any(worker["nthreads"] != 1 for worker in workers.values()):
        raise KdError(
            "a Dask worker has several threads, but kd trains on one thread for each process",
            "start workers with `--nthreads 1`, as many as there are processors",
        )
    try:
        others = client.run(machine)
    except Exception as error:  # whatever a worker without this kd raises
        raise KdError(
            f"a Dask worker does not have this version of kd: {error}",
            "install the same version where workers run",
        ) from None
    own = machine()
    for worker, other in others.items():
        odd = [key for key in own if key != "instructions" and other.get(key) != own[key]]
        if odd:
            told = ", ".join(f"{key} {other.get(key)} instead of {own[key]}" for key in odd)
            raise KdError(
                f"the Dask worker {worker} has {told}", "install the same versions where workers run"
            )


def sees(client: Any, folder: StudyFolder) -> bool:
    """Whether all workers see the folder of the study."""
    token = folder.path / f".seen-{secrets.token_hex(8)}"
    token.touch()
    try:
        return all(client.run(os.path.exists, str(token.absolute())).values())
    finally:
        token.unlink()


def make_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """Make a run from plain data, in a worker that sees the study's folder."""
    return asdict(make(Task(**task)))


def _make_in_place(
    client: Any, study: Study, runs: Sequence[Planned], heard: Callable[[int, Outcome | None], None]
) -> None:
    """Have workers write the runs; runs that another command is making are submitted again."""
    at_work = _AtWork(client)

    def submit(run: Planned) -> None:
        at_work.submit(run, make_task, lambda: [asdict(Task.of(study, run))])

    for run in runs:
        submit(run)
    for run, result, error in at_work.over():
        outcome = Outcome(**result) if result else Outcome(run.name, error=error)
        if outcome.busy:
            time.sleep(PAUSE)
            submit(run)
            continue
        if not (outcome.error or is_made(study.folder.run(run.name), run.recipe)):
            outcome = replace(outcome, error="the worker that made it does not see the folder of the study")
        heard(at_work.count, outcome)


class _AtWork:
    """The runs submitted to workers, and those that wait."""

    def __init__(self, client: Any) -> None:
        from distributed import as_completed

        self.client = client
        self.workers = len(client.scheduler_info(n_workers=-1)["workers"])
        self._queue: deque[tuple[Planned, Callable[..., Any], Callable[[], Sequence[Any]]]] = deque()
        self._runs: dict[str, Planned] = {}
        self._waiting = as_completed()

    @property
    def count(self) -> int:
        """The number of runs that workers are making."""
        return min(len(self._runs), self.workers)

    def submit(
        self, run: Planned, function: Callable[..., Any], arguments: Callable[[], Sequence[Any]]
    ) -> None:
        """Have a worker call a function; its arguments are made when it is submitted."""
        self._queue.append((run, function, arguments))
        self._fill()

    def _fill(self) -> None:
        while self._queue and len(self._runs) < AHEAD * self.workers:
            run, function, arguments = self._queue.popleft()
            future = self.client.submit(function, *arguments(), pure=False)
            self._runs[future.key] = run
            self._waiting.add(future)

    def over(self) -> Iterator[tuple[Planned, Any, str]]:
        """Yield each run with the function's result, or with None and the error."""
        for future in self._waiting:
            if future.cancelled():
                raise KdError(
                    "the connection to the Dask scheduler is lost",
                    "start it again, and run the same command: finished runs are kept",
                )
            run, error = self._runs.pop(future.key), future.exception()
            self._fill()
            why = f"{type(error).__name__}: {error}" if error else ""  # for example, the worker died
            yield run, None if error else future.result(), why


def make_apart(task: Mapping[str, Any], given: Mapping[str, Files]) -> dict[str, Any]:
    """Make a run in a temporary folder, with the shared artefacts that are `given`, by key.

    Returns the outcome, the files of the run, and the files of shared artefacts that were not given.
    """
    with tempfile.TemporaryDirectory() as root:
        folder = StudyFolder(Store(Path(root)), task["study"])
        for key, files in given.items():
            unpack(files, folder.shelf(key))
        outcome = make(replace(Task(**task), root=root))
        made = not outcome.error
        shelves = folder.shelf("").iterdir() if made else ()
        return {
            "outcome": asdict(outcome),
            "files": packed(folder.run(task["name"]).path),
            "shared": {path.name: packed(path) for path in shelves if path.name not in given},
        }


@dataclass
class _Elsewhere:
    """Runs made by workers that do not see the study's folder.

    One run for each teacher goes first; the others follow with its data and teacher.
    """

    client: Any
    study: Study
    heard: Callable[[int, Outcome | None], None]

    def make_all(self, runs: Sequence[Planned]) -> None:
        """Make runs, and store what comes back."""
        at_work, waiting = _AtWork(self.client), dict[str, list[Planned]]()
        for run in runs:
            key = teacher_key(run.recipe)
            if key in waiting and key not in self._given(run):
                waiting[key].append(run)
            else:
                waiting.setdefault(key, [])
                self._submit(at_work, run)
        for run, result, error in at_work.over():
            outcome = self._stored(run, result) if result else Outcome(run.name, error=error)
            followers = waiting.pop(teacher_key(run.recipe), [])
            if outcome.error and followers:  # let the next run make the data and the teacher
                waiting[teacher_key(run.recipe)] = followers[1:]
                followers = followers[:1]
            for follower in followers:
                self._submit(at_work, follower)
            self.heard(at_work.count, outcome)

    def _submit(self, at_work: _AtWork, run: Planned) -> None:
        at_work.submit(run, make_apart, lambda: [asdict(Task.of(self.study, run)), self._given(run)])

    def _given(self, run: Planned) -> dict[str, Files]:
        """Return the files of the shared artefacts of a run that exist already, by key."""
        keys = (data_key(run.recipe), teacher_key(run.recipe))
        shelves = {key: self.study.folder.shelf(key) for key in keys}
        return {key: packed(shelf) for key, shelf in shelves.items() if (shelf / "meta.json").is_file()}

    def _stored(self, run: Planned, result: Mapping[str, Any]) -> Outcome:
        """Store a run and its shared artefacts as a worker sent them."""
        folder = self.study.folder
        for key, files in result["shared"].items():
            with folder.making(key):
                if not (folder.shelf(key) / "meta.json").is_file():
                    unpack(files, folder.shelf(key))
        with folder.run(run.name).locked():
            unpack(result["files"], folder.run(run.name).path)
        return Outcome(**result["outcome"])
