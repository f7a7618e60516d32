import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Kd
from sweeping import TINY_SWEEP

from kdcli.errors import KdError
from kdcli.sweeps.on_dask import check_workers
from kdcli.training.processor import machine

pytest.importorskip("distributed")

SWEEP = (
    TINY_SWEEP
    + """"data.seed" = [0, 1]
"students.learning_rate" = [0.001, 0.01]
"""
)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes of Dask, in a folder of their own, which end with the test."""
    processes: list[subprocess.Popen[str]] = []

    def started(*arguments: str) -> subprocess.Popen[str]:
        folder = tmp_path / f"dask{len(processes)}"
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "KD_JOBS": "1"},
        )
        processes.append(process)
        return process

    yield started
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def address_of(scheduler: subprocess.Popen[str]) -> str:
    """Read where a scheduler listens."""
    assert scheduler.stderr is not None
    for line in scheduler.stderr:
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
            return found[1]
    raise AssertionError("the scheduler has ended")


@pytest.fixture
def cluster(start: Start) -> str:
    address = address_of(start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"))
    for _ in range(2):
        start("worker", address, "--nthreads", "1", "--no-dashboard")
    return address


def sweep(address: str, study: str, program: str = "") -> dict[str, object]:
    """Sweep on a cluster, in a process of its own: Dask leaves threads behind."""
    arguments = ["sweep", "mine.toml", "--engine", "dask", "--address", address, "--study", study, "--json"]
    code = f"{program}\nimport sys\nsys.argv[1:] = {arguments}\nfrom kdcli.__main__ import run\nrun()"
    until = time.monotonic() + 60
    while True:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        if done.returncode == 0:
            return dict(json.loads(done.stdout))
        assert "has no workers" in done.stdout, done.stderr  # they may not be there yet
        assert time.monotonic() < until, "no worker has come"


def digests(study: Path) -> dict[str, dict[str, str]]:
    made = {path.parent.name: json.loads(path.read_text()) for path in study.glob("*/made.json")}
    return {name: record["digests"] for name, record in made.items()}


@pytest.mark.long
def test_a_cluster_makes_the_same_bits_whether_it_shares_a_folder_or_not(
    kd: Kd, outputs: Path, cluster: str
) -> None:
    Path("mine.toml").write_text(SWEEP)
    assert kd("sweep", "mine.toml", "--jobs", "1", "--study", "here").code == 0
    assert sweep(cluster, "shared")["there"] == 4
    apart = "from kdcli.sweeps import on_dask\non_dask.sees = lambda client, folder: False"
    assert sweep(cluster, "apart", apart)["there"] == 4
    expected = digests(outputs / "here")
    assert len(expected) == 4
    assert digests(outputs / "shared") == digests(outputs / "apart") == expected
    assert kd("check", "apart").code == 0
    assert len(list((outputs / "apart" / ".shared").iterdir())) == 4  # data and teacher of each data seed


def test_where_nobody_answers_that_is_said(kd: Kd, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text(SWEEP)
    nobody = kd("sweep", "mine.toml", "--engine", "dask")
    assert nobody.code == 1
    assert "name its scheduler with --address tcp://HOST:8786" in nobody.err
    here = kd("sweep", "mine.toml", "--address", "tcp://127.0.0.1:1")
    assert here.code == 2
    assert "--address needs --engine dask" in here.err
    monkeypatch.setitem(sys.modules, "distributed", None)
    missing = kd("sweep", "mine.toml", "--engine", "dask", "--address", "tcp://127.0.0.1:1")
    assert missing.code == 1
    assert "Dask is not installed" in missing.err
    assert "pip install 'kdcli[dask]'" in missing.err


class Cluster:
    """A cluster as `check_workers` sees it: the threads of each worker, and its machine."""

    def __init__(self, threads: list[int], machines: list[dict[str, str]] | Exception) -> None:
        self.threads, self.machines = threads, machines

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        return {"workers": {f"tcp://{k}": {"nthreads": threads} for k, threads in enumerate(self.threads)}}

    def run(self, function: Callable[..., Any]) -> dict[str, dict[str, str]]:
        assert function is machine
        if isinstance(self.machines, Exception):
            raise self.machines
        return {f"tcp://{k}": found for k, found in enumerate(self.machines)}


@pytest.mark.parametrize(
    ("threads", "machines", "words"),
    [
        ([], [], "has no workers"),
        ([1, 2], [machine()] * 2, "several threads"),
        (
            [1],
            ModuleNotFoundError("No module named 'kdcli'"),
            "does not have this version of kd: No module",
        ),
        ([1, 1], [machine(), machine() | {"python": "3.9.1"}], "tcp://1 has python 3.9.1 instead of"),
        ([1], [machine() | {"kdcli": "0.0.1"}], "tcp://0 has kdcli 0.0.1 instead of"),
    ],
)
def test_clusters_that_cannot_make_the_same_bits_are_refused(
    threads: list[int], machines: list[dict[str, str]] | Exception, words: str
) -> None:
    with pytest.raises(KdError, match=re.escape(words)):
        check_workers(Cluster(threads, machines), "tcp://here")


def test_processors_with_other_instructions_are_told_at_the_end_and_not_refused() -> None:
    check_workers(Cluster([1, 1], [machine(), machine() | {"instructions": "AVX2"}]), "tcp://here")
