"""The server process that forks workers, and the work of a worker.

The server is itself forked as soon as PyTorch is imported, before this process uses libraries that do not
survive a fork (thread pools of OpenMP, XGBoost, polars), and does nothing but fork. Server and workers die
with the process that they work for, however it ends.

Forks are safe only on Linux, and only in a process with one thread.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from kdcli.errors import KdError
from kdcli.workers import shared
from kdcli.workers.limit import jobs
from kdcli.workers.messages import Work, first_message, message

PR_SET_PDEATHSIG = 1  # from prctl.h of Linux


@dataclass
class Server:
    """The process that forks workers, the socket for its orders, and the process that owns it."""

    process: int
    orders: socket.socket
    owner: int


_server: Server | None = None


def own_server() -> Server | None:
    """Return the server of this process; None in a fork, which inherits the server of its parent."""
    return _server if _server is not None and _server.owner == os.getpid() else None


def start(works: Mapping[str, Work], prepare: Callable[[], None] | None = None) -> None:
    """Start the server of workers for these kinds of work, unless it is running or not possible.

    `prepare` is called in the server before it takes orders, for example to import what workers will need.
    """
    global _server
    if own_server():
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
    _server = Server(process, ours, owner)
    atexit.register(stop)


def stop() -> None:
    """End the server of workers, if this process has one."""
    global _server
    if server := own_server():
        server.orders.close()
        with suppress(ChildProcessError):
            os.waitpid(server.process, 0)
        _server = None


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns about forks in a process with threads. The threads here are NumPy's, which survive one.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def die_with(parent: int) -> None:
    """Let the system kill this process when its parent dies; only on Linux."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the call
        os._exit(1)


def _serve(
    orders: socket.socket, works: Mapping[str, Work], owner: int, prepare: Callable[[], None] | None
) -> NoReturn:
    """Fork a worker for each order, until the process that sends the orders is gone."""
    try:
        die_with(owner)
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # the process that workers work for decides when they end
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no process waits for workers to exit
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
            for descriptor in handed:
                os.close(descriptor)
    finally:
        os._exit(1)


def _use_one_thread() -> None:
    """Keep PyTorch from waiting for OpenMP threads, which do not exist after a fork."""
    import torch

    torch.set_num_threads(1)


def _work(caller: socket.socket, packed: int, works: Mapping[str, Work], server: int) -> NoReturn:
    """Do one task, and exit."""
    try:
        die_with(server)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        caller.sendall(message("process", os.getpid()))
        read = bytearray()
        while (task := first_message(read)) is None:
            read += caller.recv(1 << 20)
        work, what = task[1]
        try:
            result = works[work](
                what, shared.unpack(packed), lambda value: caller.sendall(message("told", value))
            )
            done = shared.pack(result.tensors)
            content = message("done", result.value)
            socket.send_fds(caller, [content[:1]], [done])
            caller.sendall(content[1:])
        except KdError as error:
            caller.sendall(message("refused", [error.message, error.hint]))
        except Exception:
            caller.sendall(message("failed", traceback.format_exc()))
    finally:
        os._exit(0)
