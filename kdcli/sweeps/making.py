"""One run of a study, made from plain data; what other runs have as well is made once."""

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

SAME_INSTRUCTIONS = MappingProxyType(  # which all processors of a family have, so that sums are in one order
    {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Prescott",
    }
)


@dataclass(frozen=True)
class Task:
    """All that a process needs to make a run: plain data, so that it may be on another machine."""

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
    """What became of a task: `made`, failed with an `error`, or left as another process is `busy` with it.

    It may have been there as well.
    """

    name: str
    made: bool = False
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
    busy: bool = False


def make(task: Task) -> Outcome:
    """Make a run, in this process and on one thread; whatever goes wrong is the run's own failure."""
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
    with suppress(KdError):  # such as of a full disk: then the outcome tells it alone
        keep_failure(run, task.recipe, failed)
    return failed


def keep_failure(run: Run, recipe: str, failed: Outcome) -> None:
    """Keep why a run was not made in its folder, and its recipe, so that it can be made by itself."""
    if not run.recipe_path.is_file():
        run.write_recipe(recipe)
    run.write_report(FAILED, json.dumps({"error": failed.error, "hint": failed.hint}, indent=1) + "\n")


def check_instructions(reproducible: str) -> None:
    """Raise `KdError` where this process computes with other instructions than it is to."""
    shared = SAME_INSTRUCTIONS["ATEN_CPU_CAPABILITY"].upper()
    if reproducible == PORTABLE and machine()["instructions"] != shared:
        variables = " ".join(f"{name}={value}" for name, value in SAME_INSTRUCTIONS.items())
        raise KdError(
            "this process computes with instructions that not all processors of the family have",
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
    """Make an artefact of a run, or take the one with this key that another run made.

    While it is made, no other process makes it. One that is damaged is not taken, and made anew.
    """
    shelf, artefact = folder.shelf(key), run.artefact(name)

    def taken() -> bool:
        """Whether the artefact is there now; one that is damaged is put away."""
        if not artefact.finished and (shelf / "meta.json").is_file():
            with suppress(KdError):  # another process puts the shelf away
                share(shelf, artefact.path)
        if verify(artefact).state not in ("damaged", "unfinished"):
            return True
        shutil.rmtree(artefact.path, ignore_errors=True)
        return False

    if taken() and (shelf / "meta.json").is_file():
        make()  # which sees that it is what the recipe says
        return
    with folder.making(key):
        if not taken():
            shutil.rmtree(shelf, ignore_errors=True)
        make()
        if not (shelf / "meta.json").is_file():
            share(artefact.path, shelf)
