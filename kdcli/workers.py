"""Work shared out to worker processes, or done in this one where that gains nothing or is not possible.

Workers are forked by a server process. The server is itself forked as soon as PyTorch is imported, before
this process uses libraries that do not survive a fork (thread pools of OpenMP, XGBoost, polars), and does
nothing but fork. Each task gets a worker of its own, which reads the shared tensors from memory that all of
them map, sends what it has to tell and its result over a socket, and ends. Server and workers die with the
process they work for, however it ends.

Forks are safe on Linux alone, and only in a process with one thread. Elsewhere tasks are done one after the
other in this process, by the same code.
"""

from __future__ import annotations

import atexit
import ctypes
import itertools
import json
import os
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from kdcli import memory
from kdcli.errors import KdError

if TYPE_CHECKING:
    from torch import Tensor

JOBS = "KD_JOBS"  # environment variable: how many tasks may run at the same time
PR_SET_PDEATHSIG = 1  # a name of Linux's prctl.h
LENGTH = struct.Struct("<q")  # of a message, before it

Tell: TypeAlias = Callable[[Any], None]
"""Sends a value that JSON can express from a task to whoever waits for it."""


@dataclass(frozen=True)
class Result:
    """What a task came to: a value that JSON can express, and tensors by name."""

    value: Any
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


Work: TypeAlias = "Callable[[Any, Mapping[str, Tensor], Tell], Result]"
"""Does one task, given what sets it apart from others, the tensors that all share, and how to tell of it."""


_allowed: int | None = None
_threads: str | None = None


def compute_on_one_thread() -> None:
    """Have libraries that are imported from now on compute on one thread, unless they are told otherwise.

    Threads of OpenMP wait for each other by spinning, a dozen times in every step of a small training. Where
    another process works on the same processors, that takes many times as long as one thread alone.
    """
    global _threads
    if _threads is None:
        _threads = os.environ.get("OMP_NUM_THREADS", "")
    os.environ["OMP_NUM_THREADS"] = "1"


def allow(number: int | None) -> None:
    """Let so many processes or threads compute at the same time; None leaves it to the environment."""
    global _allowed
    _allowed = number


def jobs() -> int:
    """Return how many processes or threads may compute at the same time; at least 1.

    That is what was allowed, else the environment's KD_JOBS, else the processors that this process may use,
    by its affinity and its control group's quota, but no more than OMP_NUM_THREADS. Raises `KdError` if
    KD_JOBS is no such number.
    """
    if _allowed is not None:
        return _allowed
    asked = os.environ.get(JOBS, "")
    if asked:
        if asked.isascii() and asked.isdigit() and 1 <= int(asked) <= 10_000:
            return int(asked)
        raise KdError(f"{JOBS} must be a whole number from 1 to 10000, not '{asked}'", f"such as {JOBS}=2")
    from joblib import cpu_count

    threads = (_threads if _threads is not None else os.environ.get("OMP_NUM_THREADS", "")).partition(",")[0]
    most = int(threads) if threads.isascii() and threads.isdigit() else 0
    there: int = cpu_count()
    return max(1, min(there, most or there))


@dataclass
class _Server:
    """The process that forks workers, and the socket it takes orders from."""

    process: int
    orders: socket.socket
    owner: int


_server: _Server | None = None


def _own_server() -> _Server | None:
    """Return the server of this process; one that a fork of it took over is another's."""
    return _server if _server is not None and _server.owner == os.getpid() else None


def start(works: Mapping[str, Work], prepare: Callable[[], None] | None = None) -> None:
    """Start the server of workers that can do these kinds of work, unless it is there or none is possible.

    `prepare` is called in the server before it takes orders, such as to import what workers will need.
    """
    global _server
    if _own_server():
        return
    if sys.platform != "linux" or threading.active_count() > 1 or jobs() == 1:
        return
    ours, its = socket.socketpair()
    owner = os.getpid()
    process = _fork()
    if process == 0:
        ours.close()
        _serve(its, works, owner, prepare)
    its.close()
    _server = _Server(process, ours, owner)
    atexit.register(stop)


def stop() -> None:
    """End the server of workers, if this process has one."""
    global _server
    if server := _own_server():
        server.orders.close()
        with suppress(ChildProcessError):
            os.waitpid(server.process, 0)
        _server = None


def do(
    name: str,
    work: Work,
    tasks: Sequence[Any],
    shared: Mapping[str, Tensor],
    heard: Callable[[int, Any], None] = lambda task, value: None,
    done: Callable[[int, Result], None] = lambda task, result: None,
    *,
    apart: bool = True,
    meanwhile: Callable[[], Sequence[Any]] = tuple,
) -> list[Result]:
    """Do tasks, as many at the same time as there may be, and return their results in order.

    `work` does a task in this process, and is known to workers by its `name`. Workers are used only if tasks
    are to be done `apart`. `heard` is called in this process with the number of a task and what it tells,
    `done` with its result. `meanwhile` is called once while workers are at the first tasks, and gives more.
    What any of them raises ends all other tasks, and so does what a task raises: a `KdError` as it is,
    anything else as a RuntimeError with the traceback of the worker.
    """
    server, most = _own_server(), jobs()
    if server is None or not apart or len(tasks) < 2 or most == 1:
        all_tasks = enumerate([*tasks, *meanwhile()])
        return [_do_here(work, k, task, shared, heard, done) for k, task in all_tasks]
    packed = memory.pack(shared)
    waiting = deque(enumerate(tasks))
    numbers = itertools.count(len(tasks))
    more: Callable[[], Sequence[Any]] | None = meanwhile
    results: dict[int, Result] = {}
    running: dict[int, _Worker] = {}
    selector = selectors.DefaultSelector()
    try:
        while waiting or running or more:
            while waiting and len(running) < most:
                k, task = waiting.popleft()
                running[k] = _Worker.begin(server, name, task, packed)
                selector.register(running[k].socket, selectors.EVENT_READ, k)
            if more:
                waiting.extend(zip(numbers, more(), strict=False))
                more = None
                continue
            for key, _ in selector.select():
                worker = running[key.data]
                for kind, value in worker.read():
                    if kind == "told":
                        heard(key.data, value)
                    elif kind == "done":
                        results[key.data] = Result(value, memory.unpack(worker.handed.pop()))
                        done(key.data, results[key.data])
                    elif kind == "refused":
                        raise KdError(*value)
                    elif kind == "failed":
                        raise RuntimeError(f"a worker failed:\n{value}")
                if worker.ended:
                    if key.data not in results:
                        raise _killed()
                    selector.unregister(worker.socket)
                    running.pop(key.data).end()
    finally:
        for worker in running.values():
            worker.end()
        selector.close()
        os.close(packed)
    return [results[k] for k in sorted(results)]


def _do_here(
    work: Work,
    number: int,
    task: Any,
    shared: Mapping[str, Tensor],
    heard: Callable[[int, Any], None],
    done: Callable[[int, Result], None],
) -> Result:
    result = work(task, shared, lambda value: heard(number, value))
    done(number, result)
    return result


def _killed() -> KdError:
    return KdError(
        "a worker process was killed, perhaps because memory ran out",
        f"run the same command again: it goes on from there; {JOBS}=1 takes less memory",
    )


@dataclass
class _Worker:
    """A worker as the process it works for sees it."""

    socket: socket.socket
    process: int = 0
    handed: list[int] = field(default_factory=list)
    ended: bool = False
    _read: bytearray = field(default_factory=bytearray)

    @classmethod
    def begin(cls, server: _Server, work: str, task: Any, packed: int) -> _Worker:
        """Have a worker forked, and give it a task."""
        ours, its = socket.socketpair()
        try:
            socket.send_fds(server.orders, [b"!"], [its.fileno(), packed])
            its.close()
            ours.sendall(_message("task", [work, task]))
        except ConnectionError:
            raise _killed() from None
        return cls(ours)

    def read(self) -> list[tuple[str, Any]]:
        """Read what has arrived; notes who the worker is, the memory it hands over, and that it has ended."""
        try:
            content, handed, _, _ = socket.recv_fds(self.socket, 1 << 20, 4)
        except ConnectionError:
            content, handed = b"", []
        self.handed += handed
        self.ended = not content
        self._read += content
        messages = []
        while (whole := _first(self._read)) is not None:
            kind, value = whole
            if kind == "process":
                self.process = value
            else:
                messages.append((kind, value))
        return messages

    def end(self) -> None:
        """See to it that the worker has ended."""
        self.socket.close()
        for packed in self.handed:
            os.close(packed)
        if self.process and not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)


def _message(kind: str, value: Any) -> bytes:
    content = json.dumps([kind, value]).encode()
    return LENGTH.pack(len(content)) + content


def _first(read: bytearray) -> tuple[str, Any] | None:
    """Take the first message off what was read, if it is there as a whole."""
    if len(read) < LENGTH.size:
        return None
    end = LENGTH.size + LENGTH.unpack(read[: LENGTH.size])[0]
    if len(read) < end:
        return None
    kind, value = json.loads(bytes(read[LENGTH.size : end]))
    del read[:end]
    return kind, value


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns of forks beside threads of the system. Those here are NumPy's, which survive them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _die_with(parent: int) -> None:
    """Have the system kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        os._exit(1)


def _serve(
    orders: socket.socket, works: Mapping[str, Work], owner: int, prepare: Callable[[], None] | None
) -> NoReturn:
    """Fork a worker for each order, until the process that gives them is gone."""
    try:
        _die_with(owner)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that is worked for decides what ends
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers
        _use_one_thread()
        server = os.getpid()
        if prepare:
            prepare()
        while True:
            order, handed, _, _ = socket.recv_fds(orders, 1, 2)
            if not order:
                os._exit(0)
            if _fork() == 0:
                orders.close()
                _work(socket.socket(fileno=handed[0]), handed[1], works, server)
            for each in handed:
                os.close(each)
    finally:
        os._exit(1)


def _use_one_thread() -> None:
    """Keep PyTorch from waiting for threads of OpenMP, which a fork has left behind."""
    import torch

    torch.set_num_threads(1)


def _work(caller: socket.socket, packed: int, works: Mapping[str, Work], server: int) -> NoReturn:
    """Do one task, and end."""
    try:
        _die_with(server)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        caller.sendall(_message("process", os.getpid()))
        read = bytearray()
        while (task := _first(read)) is None:
            read += caller.recv(1 << 20)
        work, what = task[1]
        try:
            result = works[work](
                what, memory.unpack(packed), lambda value: caller.sendall(_message("told", value))
            )
            done = memory.pack(result.tensors)
            content = _message("done", result.value)
            socket.send_fds(caller, [content[:1]], [done])
            caller.sendall(content[1:])
        except KdError as error:
            caller.sendall(_message("refused", [error.message, error.hint]))
        except Exception:
            caller.sendall(_message("failed", traceback.format_exc()))
    finally:
        os._exit(0)
