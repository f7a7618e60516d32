"""Tasks done by several workers at the same time, or in this process if workers would not help."""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError
from kdcli.workers import shared
from kdcli.workers.limit import JOBS, jobs
from kdcli.workers.messages import Result, Work, first_message, message
from kdcli.workers.server import Server, own_server

if TYPE_CHECKING:
    from torch import Tensor


def do(
    name: str,
    work: Work,
    tasks: Sequence[Any],
    tensors: Mapping[str, Tensor],
    heard: Callable[[int, Any], None] = lambda task, value: None,
    done: Callable[[int, Result], None] = lambda task, result: None,
    *,
    apart: bool = True,
    meanwhile: Callable[[], Sequence[Any]] = tuple,
) -> list[Result]:
    """Do tasks, as many at the same time as `jobs` allows, and return their results in order.

    `work` does a task in this process, and workers know it by its `name`; all tasks share the `tensors`.
    Workers are used only if tasks are to be done `apart`. `heard` is called in this process with the number
    of a task and a message from it, and `done` with its result. `meanwhile` is called once while workers do
    the first tasks, and returns more tasks.

    An exception in one of these functions ends all tasks, and so does one in a task: a `KdError` is raised
    unchanged, and any other as a RuntimeError with the traceback of the worker.
    """
    server, most = own_server(), jobs()
    if server is None or not apart or len(tasks) < 2 or most == 1:
        all_tasks = enumerate([*tasks, *meanwhile()])
        return [_do_here(work, k, task, tensors, heard, done) for k, task in all_tasks]
    pool = _Pool(server, name, shared.pack(tensors), heard, done)
    waiting = deque(enumerate(tasks))
    try:
        pool.fill(waiting, most)
        waiting.extend(enumerate(meanwhile(), len(tasks)))
        while waiting or pool.running:
            pool.fill(waiting, most)
            pool.attend()
    finally:
        pool.close()
    return [pool.results[k] for k in sorted(pool.results)]


def _do_here(
    work: Work,
    number: int,
    task: Any,
    tensors: Mapping[str, Tensor],
    heard: Callable[[int, Any], None],
    done: Callable[[int, Result], None],
) -> Result:
    result = work(task, tensors, lambda value: heard(number, value))
    done(number, result)
    return result


def _killed() -> KdError:
    return KdError(
        "a worker process was killed, perhaps because memory ran out",
        f"run the same command again to continue; {JOBS}=1 takes less memory",
    )


@dataclass
class _Worker:
    """A worker, as seen by the process that it works for."""

    socket: socket.socket
    process: int = 0
    handed: list[int] = field(default_factory=list)
    ended: bool = False
    _read: bytearray = field(default_factory=bytearray)

    @classmethod
    def begin(cls, server: Server, work: str, task: Any, packed: int) -> _Worker:
        """Order a new worker from the server, and give it a task."""
        ours, its = socket.socketpair()
        try:
            socket.send_fds(server.orders, [b"!"], [its.fileno(), packed])
            its.close()
            ours.sendall(message("task", [work, task]))
        except ConnectionError:
            raise _killed() from None
        return cls(ours)

    def read(self) -> list[tuple[str, Any]]:
        """Read what has arrived; stores the worker's process, the memory it sends, and if it has ended."""
        try:
            content, handed, _, _ = socket.recv_fds(self.socket, 1 << 20, 4)
        except ConnectionError:
            content, handed = b"", []
        self.handed += handed
        self.ended = not content
        self._read += content
        messages = []
        while (whole := first_message(self._read)) is not None:
            kind, value = whole
            if kind == "process":
                self.process = value
            else:
                messages.append((kind, value))
        return messages

    def end(self) -> None:
        """Kill the worker unless it has ended, and release what it sent."""
        self.socket.close()
        for packed in self.handed:
            os.close(packed)
        if self.process and not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)


@dataclass
class _Pool:
    """Workers that run at the same time, by the numbers of their tasks."""

    server: Server
    work: str
    packed: int
    heard: Callable[[int, Any], None]
    done: Callable[[int, Result], None]
    running: dict[int, _Worker] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def fill(self, waiting: deque[tuple[int, Any]], most: int) -> None:
        """Begin waiting tasks until `most` tasks are running."""
        while waiting and len(self.running) < most:
            k, task = waiting.popleft()
            self.running[k] = _Worker.begin(self.server, self.work, task, self.packed)
            self.selector.register(self.running[k].socket, selectors.EVENT_READ, k)

    def attend(self) -> None:
        """Wait until workers send something, and process it."""
        for key, _ in self.selector.select():
            k, worker = key.data, self.running[key.data]
            for kind, value in worker.read():
                self._take(k, kind, value)
            if worker.ended:
                if k not in self.results:
                    raise _killed()
                self.selector.unregister(worker.socket)
                self.running.pop(k).end()

    def _take(self, k: int, kind: str, value: Any) -> None:
        if kind == "told":
            self.heard(k, value)
        elif kind == "done":
            self.results[k] = Result(value, shared.unpack(self.running[k].handed.pop()))
            self.done(k, self.results[k])
        elif kind == "refused":
            raise KdError(*value)
        elif kind == "failed":
            raise RuntimeError(f"a worker failed:\n{value}")

    def close(self) -> None:
        """End all workers that are running."""
        for worker in self.running.values():
            worker.end()
        self.selector.close()
        os.close(self.packed)
