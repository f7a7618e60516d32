"""Makes one run of a study from plain data; artefacts that several runs share are made once."""

import json
import shutil
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from kdcli import workers
from kdcli.commands import text
from kdcli.errors import KdError
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import DATA, STUDENTS, TEACHER
from kdcli.runs.made import FAILED, MADE, Made, is_made
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_reading import parse
from kdcli.runs.recipe_text import dump
from kdcli.runs.studies import EXACT, PORTABLE, Study, data_key, key_of, teacher_key
from kdcli.runs.vary import Planned
from kdcli.stages.distill import distill
from kdcli.stages.gen_data import gen_data
from kdcli.stages.train_teacher import train_teacher
from kdcli.store import BusyError, Run, Store, StudyFolder, share, verify
from kdcli.training.processor import machine

# Instructions that all processors of a family have, so that sums are computed in the same order.
SAME_INSTRUCTIONS = MappingProxyType(
    {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Prescott",
    }
)


@dataclass(frozen=True)
class Task:
    """Everything that a process needs to make a run, as plain data that can be sent to another machine."""

    root: str
    study: str
    name: str
    recipe: str
    reproducible: str = EXACT
    files: str = ""

    @classmethod
    def of(cls, study: Study, run: Planned) -> Self:
        """Return the task of a run."""
        root = str(study.folder.store.root.absolute())
        folder, recipe = study.folder.name, dump(run.recipe)
        return cls(root, folder, run.name, recipe, study.reproducible, study.files)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task: `made`, failed with an `error`, or skipped as another process is `busy` with it.

    None of these holds if the run existed already.
    """

    name: str
    made: bool = False
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
    busy: bool = False


def make(task: Task) -> Outcome:
    """Make a run in this process, on one thread; any error becomes the failure of the run."""
    start = time.perf_counter()
    workers.allow(1)
    folder = StudyFolder(Store(Path(task.root)), task.study)
    run, made = folder.run(task.name), False
    try:
        recipe = parse(task.recipe, task.name)
        with run.locked(wait=False):
            if not is_made(run, recipe):
                check_instructions(task.reproducible)
                _make(folder, run, recipe, task.files, start)
                made = True
    except BusyError:
        return Outcome(task.name, busy=True)
    except KdError as error:
        failed = Outcome(task.name, error=error.message, hint=text(error.hint))
    except Exception:
        failed = Outcome(task.name, error=traceback.format_exc())
    else:
        return Outcome(task.name, made, time.perf_counter() - start)
    with suppress(KdError):  # such as a full disk; the failure is then only in the outcome
        keep_failure(run, task.recipe, failed)
    return failed


def keep_failure(run: Run, recipe: str, failed: Outcome) -> None:
    """Store the failure of a run in its folder, and its recipe, so that it can be made by itself."""
    if not run.recipe_path.is_file():
        run.write_recipe(recipe)
    run.write_report(FAILED, json.dumps({"error": failed.error, "hint": failed.hint}, indent=1) + "\n")


def check_instructions(reproducible: str) -> None:
    """Raise `KdError` if this process uses other instructions than `reproducible` allows."""
    shared = SAME_INSTRUCTIONS["ATEN_CPU_CAPABILITY"].upper()
    if reproducible == PORTABLE and machine()["instructions"] != shared:
        variables = " ".join(f"{name}={value}" for name, value in SAME_INSTRUCTIONS.items())
        raise KdError(
            "this process uses instructions that not all processors of the family have",
            f"start workers with {variables}",
        )


def _make(folder: StudyFolder, run: Run, recipe: Recipe, files: str, start: float) -> None:
    experiment, source = Experiment.open(run), Path(files) if files else None

    def data() -> object:
        return gen_data(experiment, recipe, {}, adopt=True, source=source, current=False)

    _once(folder, run, DATA, data_key(recipe), data)
    _once(folder, run, TEACHER, teacher_key(recipe), lambda: train_teacher(experiment, {}))
    distill(experiment, {})
    names = [DATA, TEACHER, *(artefact.name for artefact in run.artefacts(STUDENTS))]
    made = Made(
        recipe=key_of(recipe),
        seconds=round(time.perf_counter() - start, 3),
        machine=machine(),
        digests={name: run.artefact(name).meta().digest for name in names},
    )
    run.write_report(MADE, json.dumps(made.__dict__, indent=1) + "\n")
    (run.path / FAILED).unlink(missing_ok=True)


def _once(folder: StudyFolder, run: Run, name: str, key: str, make: Callable[[], object]) -> None:
    """Make an artefact of a run, or share the one with this key that another run made.

    A lock keeps other processes from making it at the same time. A damaged artefact is not shared but made
    again.
    """
    shelf, artefact = folder.shelf(key), run.artefact(name)

    def taken() -> bool:
        """Whether the artefact is in place, shared if possible; a damaged one is removed."""
        if not artefact.finished and (shelf / "meta.json").is_file():
            with suppress(KdError):  # another process may be removing the shelf
                share(shelf, artefact.path)
        if verify(artefact).state not in ("damaged", "unfinished"):
            return True
        shutil.rmtree(artefact.path, ignore_errors=True)
        return False

    if taken() and (shelf / "meta.json").is_file():
        make()  # checks that the artefact matches the recipe, and reuses it
        return
    with folder.making(key):
        if not taken():
            shutil.rmtree(shelf, ignore_errors=True)
        make()
        if not (shelf / "meta.json").is_file():
            share(artefact.path, shelf)
