"""Workers, tried in processes of their own: a test process may have threads, and then has no workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kdcli.workers import Result, Tell, do

linux = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")

PROGRAM = """
import json, os, sys, time
import torch
from kdcli import workers
from kdcli.errors import KdError
from kdcli.workers import Result

def work(task, shared, tell):
    tell(["process", os.getpid()])
    if task == "refuse":
        raise KdError("no", "never")
    if task == "fail":
        raise ValueError("a fault")
    if task == "die":
        os.kill(os.getpid(), 9)
    if task == "wait":
        time.sleep(600)
    return Result(task, {"y": shared["x"] + task})

workers.start({"work": work})
processes = set()
def heard(task, value):
    processes.add(value[1])
    print(value[1], flush=True)
"""


def program(text: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM + text]


def ran(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "KD_JOBS": "2", **environment}
    return subprocess.run(program(text), capture_output=True, text=True, env=variables, timeout=60)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def add(task: int, shared: "dict[str, Tensor]", tell: Tell) -> Result:
    tell(task)
    return Result(task, {"y": shared["x"] + task})


def test_without_workers_tasks_are_done_here_in_order() -> None:
    told: list[tuple[int, int]] = []
    done: list[int] = []
    results = do(
        "add",
        add,  # type: ignore[arg-type]
        [1, 2],
        {"x": torch.ones(2)},
        lambda k, value: told.append((k, value)),
        lambda k, result: done.append(result.value),
        meanwhile=lambda: [3],
    )
    assert [float(result.tensors["y"][0]) for result in results] == [2, 3, 4]
    assert told == [(0, 1), (1, 2), (2, 3)]
    assert done == [1, 2, 3]


@linux
def test_tasks_are_done_by_workers_and_results_are_in_order() -> None:
    text = """
results = workers.do(
    "work", work, [1, 2, 3, 4, 5], {"x": torch.ones(1000)}, heard, meanwhile=lambda: [6]
)
assert [r.value for r in results] == [1, 2, 3, 4, 5, 6]
assert [float(r.tensors["y"].sum()) for r in results] == [2000, 3000, 4000, 5000, 6000, 7000]
assert len(processes) == 6 and os.getpid() not in processes
"""
    outcome = ran(text)
    assert outcome.returncode == 0, outcome.stderr


@linux
@pytest.mark.parametrize(
    ("task", "error"),
    [
        ("refuse", "KdError: no"),
        ("fail", "ValueError: a fault"),
        ("die", "a worker process was killed, perhaps because memory ran out"),
    ],
)
def test_what_ends_one_task_ends_all(task: str, error: str) -> None:
    outcome = ran(f'workers.do("work", work, ["wait", "{task}"], {{"x": torch.ones(1)}}, heard)')
    assert outcome.returncode == 1
    assert error in outcome.stderr
    assert ("in work" in outcome.stderr) == (task == "fail")  # the traceback of the worker
    deadline = time.monotonic() + 10
    processes = [int(line) for line in outcome.stdout.split()]
    while any(map(alive, processes)):
        assert time.monotonic() < deadline, "a worker is left"
        time.sleep(0.01)


@linux
def test_no_worker_outlives_a_process_that_is_killed() -> None:
    text = 'workers.do("work", work, ["wait", "wait"], {"x": torch.ones(1)}, heard)'
    variables = {**os.environ, "KD_JOBS": "2"}
    with subprocess.Popen(program(text), stdout=subprocess.PIPE, text=True, env=variables) as parent:
        assert parent.stdout is not None
        processes = [int(parent.stdout.readline()) for _ in range(2)]
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
        processes += map(int, children.split())  # the server
        assert len(processes) == 3
        assert all(map(alive, processes))
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(alive, processes)):
        assert time.monotonic() < deadline, "a worker is left"
        time.sleep(0.01)
