import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sweeping import SEEDS, TEMPERATURES, digests, made, plan

from kdcli.runs.studies import Study
from kdcli.sweeps.local import ATTEMPTS, make_all
from kdcli.sweeps.making import Outcome, Task

DIES = """
import json, os, signal, sys
from pathlib import Path
from kdcli.sweeps import making

real = making.make

def make(task):
    marks = Path(os.environ["KD_TEST_DEATHS"])
    deaths = int(os.environ["KD_TEST_TIMES"])
    if task.name.endswith(os.environ["KD_TEST_VICTIM"]):
        died = len(list(marks.iterdir()))
        if died < deaths:
            (marks / str(died)).touch()
            print("the last words", file=sys.stderr, flush=True)
            how = os.environ["KD_TEST_HOW"]
            if how == "signal":
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(7)
    return real(task)

making.make = make
"""


@dataclass
class Heard:
    """The messages about the runs of a study."""

    outcomes: list[Outcome] = field(default_factory=list)
    at_work: list[int] = field(default_factory=list)

    def __call__(self, at_work: int, outcome: Outcome | None) -> None:
        self.at_work.append(at_work)
        if outcome:
            self.outcomes.append(outcome)

    @property
    def failed(self) -> dict[str, str]:
        return {outcome.name: outcome.error for outcome in self.outcomes if outcome.error}


def made_by(study: Study, jobs: int) -> Heard:
    """Make the runs of a study with this number of processes."""
    study.store()
    heard = Heard()
    make_all([Task.of(study, planned) for planned in study.runs], jobs, heard)
    return heard


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let processes die at the run "seed-2", twice; returns the folder with a file for each death."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(DIES)
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *filter(None, [os.getenv("PYTHONPATH")])]))
    for name, value in {"DEATHS": str(deaths), "TIMES": "2", "VICTIM": "seed-2", "HOW": "signal"}.items():
        monkeypatch.setenv(f"KD_TEST_{name}", value)
    return deaths


def test_two_processes_make_the_same_bits_as_one(outputs: Path) -> None:
    vary = SEEDS + TEMPERATURES
    alone = made(outputs / "alone", vary)
    study = plan(outputs / "together", vary)
    heard = made_by(study, 2)
    assert sorted(outcome.name for outcome in heard.outcomes) == sorted(run.name for run in study.runs)
    assert not heard.failed
    assert max(heard.at_work) == 2
    assert heard.at_work[-1] == 0
    assert digests(study) == digests(alone)


def test_runs_of_portable_bits_are_made(outputs: Path) -> None:
    study = plan(outputs, reproducible="portable")
    heard = made_by(study, 7)
    assert not heard.failed
    assert max(heard.at_work) <= 2  # no more processes than runs
    assert len(digests(study)) == 2


def test_a_run_whose_process_is_killed_is_begun_again(outputs: Path, deadly: Path) -> None:
    study = plan(outputs)
    heard = made_by(study, 2)
    assert len(list(deadly.iterdir())) == 2
    assert not heard.failed
    assert sorted(outcome.name for outcome in heard.outcomes) == ["seed-1", "seed-2"]
    assert digests(study) == digests(made(outputs / "alone"))


@pytest.mark.parametrize(
    ("jobs", "how", "words"),
    [
        (1, "signal", f"was killed by signal {signal.SIGKILL.value}"),
        (2, "exit", "ended with exit code 7"),
    ],
)
def test_a_run_whose_process_always_dies_fails_and_others_are_made(
    outputs: Path, deadly: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, how: str, words: str
) -> None:
    monkeypatch.setenv("KD_TEST_TIMES", "100")
    monkeypatch.setenv("KD_TEST_HOW", how)
    study = plan(outputs, '"data.seed" = [1, 2, 3]\n')
    heard = made_by(study, jobs)
    assert len(list(deadly.iterdir())) == ATTEMPTS == 3
    assert list(heard.failed) == ["seed-2"]
    assert words in heard.failed["seed-2"]
    assert "the last words" in heard.failed["seed-2"]
    assert heard.failed["seed-2"].endswith(", 3 times")
    assert set(digests(study)) == {"seed-1", "seed-3"}
    assert len(heard.outcomes) == 3


def test_what_another_process_makes_is_waited_for_last(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(outputs)
    study.store()
    held = study.folder.run("seed-1").locked()
    held.__enter__()
    heard: list[str] = []

    def hear(at_work: int, outcome: Outcome | None) -> None:
        if outcome:
            heard.append(outcome.name)
            if len(heard) == 1:
                held.__exit__(None, None, None)

    make_all([Task.of(study, planned) for planned in study.runs], 1, hear)
    assert heard == ["seed-2", "seed-1"]
    assert len(digests(study)) == 2


def test_no_process_is_left_when_it_is_interrupted(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = plan(outputs)
    study.store()
    started: list[subprocess.Popen[str]] = []
    start = subprocess.Popen

    def watched(*given: Any, **options: Any) -> Any:
        started.append(start(*given, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", watched)

    def interrupted(at_work: int, outcome: Outcome | None) -> None:
        if outcome:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_all([Task.of(study, planned) for planned in study.runs], 2, interrupted)
    assert [process.poll() is not None for process in started] == [True, True]
    heard = made_by(study, 1)  # nothing that they had is in the way
    assert not heard.failed
    assert digests(study) == digests(made(outputs / "alone"))
