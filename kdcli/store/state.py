"""The states of a run's artefacts, and the leftovers of interrupted commands.

Every file is read and compared with its digest, so that "fresh" is a promise. Nothing is changed, and
anything wrong with an artefact is reported rather than raised.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kdcli.errors import KdError, Text
from kdcli.store.artefact import Artefact, DamagedError, Meta
from kdcli.store.files import DELETED, NEW, REPLACED
from kdcli.store.names import CURRENT, NAME, RUN_NAME
from kdcli.store.resume import ResumePoint
from kdcli.store.runs import PARTS, RESUME, Run, Store
from kdcli.store.versions import NewerError, OlderError

State = Literal["fresh", "stale", "damaged", "unfinished", "older", "newer"]

UNREADABLE = "cannot be read:"  # marks a problem of access, not of content
LEFTOVER = re.compile(rf"\..+({re.escape(NEW)}.+|{re.escape(REPLACED)}|{re.escape(DELETED)}.+)")


@dataclass(frozen=True)
class Condition:
    """The state of an artefact, and the problems behind it, each a sentence.

    fresh       every file is what the stage wrote, and what it was made from is still the same
    stale       intact, but what it was made from has been replaced since
    damaged     some file is not what the stage wrote
    unfinished  there is no `meta.json`, which is written last
    older       an earlier kd wrote it, in a format that is no longer read
    newer       a newer kd wrote it, or what it was made from, so that this version cannot judge it

    `meta` is None if it cannot be read. `remove` are the files to remove before the artefact is intact or can
    be made again; `remade` says whether it needs to be made again. `advice` says what else to do.
    """

    artefact: Artefact
    state: State
    problems: tuple[str, ...] = ()
    meta: Meta | None = None
    remove: tuple[Path, ...] = ()
    remade: bool = True
    advice: Text = ""


@dataclass(frozen=True)
class Extent:
    """The size of a folder's files in bytes, and the time of the last write (seconds since the epoch)."""

    size: int
    written: float


def run_folders(store: Store) -> list[str]:
    """Names of the runs, and of folders of runs that lost their recipe, sorted.

    Unlike `Store.runs`, it includes everything that looks like a run, readable or not.
    """
    return sorted(name for name in names_in(store.root) if NAME.fullmatch(name) and _a_run(store.root / name))


def study_runs(store: Store, study: str) -> list[str]:
    """Names of the existing runs of a study, STUDY/NAME, sorted."""
    names = sorted(name for name in names_in(store.root / study) if NAME.fullmatch(name))
    return [f"{study}/{name}" for name in names if _a_run(store.root / study / name)]


def _a_run(path: Path) -> bool:
    if not os.path.isdir(path):
        return False
    if not os.access(path, os.R_OK | os.X_OK):
        return True
    signs = ("recipe.toml", "data/meta.json", "teacher/meta.json")
    return any(os.path.lexists(path / sign) for sign in signs)


def verify(artefact: Artefact) -> Condition:
    """Compare an artefact with its own `meta.json`, without looking at its parents."""
    folder, record = artefact.path, artefact.path / "meta.json"
    if not os.path.lexists(folder):
        return Condition(artefact, "unfinished", (f"{folder} is missing",))
    if not os.path.isdir(folder):
        return damaged(artefact, f"{folder} is not a folder")
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        return _unreadable(artefact, folder, error)
    if record.name not in names:
        return Condition(artefact, "unfinished", (f"{record}, which is written last, is missing",))
    if not os.path.isfile(record):
        return damaged(artefact, f"{record} is not a file")
    try:
        return _compared(artefact, artefact.meta(), names)
    except DamagedError as error:
        return damaged(artefact, error.message)
    except NewerError as error:
        return Condition(artefact, "newer", (error.message,), remade=False, advice=error.hint)
    except OlderError as error:
        return Condition(artefact, "older", (error.message,))
    except KdError as error:  # unreadable, so remove nothing
        return Condition(artefact, "damaged", (error.message,), remade=False, advice=error.hint)


def _compared(artefact: Artefact, meta: Meta, names: Sequence[str]) -> Condition:
    """Compare the files of these `names` in an artefact's folder with the digests in its record."""
    folder = artefact.path
    wrong = [
        problem for file, digest in sorted(meta.files.items()) if (problem := _problem(folder / file, digest))
    ]
    surplus = [folder / name for name in names if name != "meta.json" and name not in meta.files]
    problems = (*wrong, *(f"{path} does not belong to this artefact: no stage wrote it" for path in surplus))
    if wrong and all(UNREADABLE in problem for problem in wrong):
        return Condition(artefact, "damaged", problems, meta, remade=False, advice="make it readable")
    if wrong:
        return Condition(artefact, "damaged", problems, meta, (folder,))
    if surplus:
        return Condition(artefact, "damaged", problems, meta, tuple(surplus), remade=False)
    return Condition(artefact, "fresh", (), meta)


def damaged(artefact: Artefact, problem: str, *, remade: bool = True) -> Condition:
    """Return the condition of a damaged artefact."""
    return Condition(artefact, "damaged", (problem,), None, (artefact.path,), remade)


def _unreadable(artefact: Artefact, path: Path, error: OSError) -> Condition:
    problem = f"{path} {UNREADABLE} {error.strerror}"
    return Condition(artefact, "damaged", (problem,), remade=False, advice="make it readable")


def _problem(path: Path, digest: str) -> str:
    """Say what is wrong with a file that should have this digest; empty if nothing is."""
    if not os.path.lexists(path):
        return f"{path} is missing"
    if not os.path.isfile(path):
        return f"{path} is not a file"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path} {UNREADABLE} {error.strerror}"
    return "" if found == digest else f"{path} is damaged: it is not what the stage wrote"


def leftovers(run: Run) -> list[Path]:
    """Return the leftovers of commands on a run that were interrupted, or the files of running commands.

    The next command that works on the run removes them, or moves back an artefact that was moved aside.
    """
    return [path for part in PARTS for path in _hidden(run.path / part)]


def resume_points(run: Run) -> list[ResumePoint]:
    """Return the saved states of interrupted or running trainings, intact or not."""
    names = sorted(names_in(run.path / RESUME))
    return [run.resume_point(name) for name in names if not name.startswith(".")]


def root_leftovers(store: Store) -> list[Path]:
    """Return leftovers in the outputs folder itself, such as partly deleted runs."""
    return _hidden(store.root)


def marker_problem(store: Store) -> str:
    """Say what is wrong with the file that names the current run; empty if nothing is."""
    path = store.root / CURRENT
    try:
        name = store.current
    except KdError as error:
        return error.message
    if name and not (RUN_NAME.fullmatch(name) and _a_run(store.root / name)):
        return f"{path} names the run {name[:100]!r}, which does not exist"
    return ""


def is_current(run: Run) -> bool:
    """Whether a run, or a run of this study, is the current one; False if the marker cannot be read."""
    try:
        current = run.store.current
        return current == run.name or current.startswith(f"{run.name}/")
    except KdError:
        return False


def other_files(run: Run) -> list[Path]:
    """Return the files that belong to no artefact: the recipe, reports, figures and exports."""
    exports = run.path / "exports"
    each = [exports / name for name in sorted(names_in(exports)) if os.path.isdir(exports / name)]
    folders = (run.path, run.path / "figures", exports, *each)
    there = [folder / name for folder in folders for name in sorted(names_in(folder))]
    return [path for path in there if not path.name.startswith(".") and os.path.isfile(path)]


def extent(path: Path) -> Extent:
    """Measure a file or folder; links count by themselves, and are not followed."""
    size, written = 0, 0.0
    for file in _files(path):
        try:
            entry = file.lstat()
        except OSError:
            continue
        size += entry.st_size
        written = max(written, entry.st_mtime)
    return Extent(size, written)


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not os.path.isdir(path):
        yield path
    for folder, inner, files in os.walk(path):
        linked = [name for name in inner if os.path.islink(os.path.join(folder, name))]
        yield from (Path(folder, name) for name in (*files, *linked))


def _hidden(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(names_in(folder)) if LEFTOVER.fullmatch(name)]


def names_in(folder: Path) -> list[str]:
    """Names of the entries of a folder; empty if it is missing or cannot be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []
