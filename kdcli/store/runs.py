"""The outputs folder: its runs, which of them is current, and what a run holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.errors import Command, KdError, UsageError, joined, unknown
from kdcli.store.artefact import Artefact
from kdcli.store.files import (
    DELETED,
    NEW,
    follow_no_link,
    new_folder,
    read_record,
    sweep,
    told_apart,
    write_file,
    write_synced,
)
from kdcli.store.names import CURRENT, NAME, check_not_current, check_run_name, fitting
from kdcli.store.resume import ResumePoint

STUDY = "study.json"  # in the folder of a study: its plan
LOCKS = ".locks"
RESUME = ".resume"  # folder of the states of trainings that are not finished
PARTS = ("", "transfer", "students", "figures", "exports", RESUME)  # of a run, where leftovers can be


def default_root() -> Path:
    """Return the outputs folder that commands use unless told otherwise."""
    return Path(os.environ.get("KD_OUTPUTS") or "outputs")


def named_run() -> str | None:
    """Return the run that KD_RUN names for all commands of a shell; None if it names none.

    Raises `UsageError` for a name that no run can have.
    """
    name = os.environ.get("KD_RUN")
    if not name:
        return None
    check_run_name(name, "run, as KD_RUN is to")
    return name


class BusyError(KdError):
    """Another process works on a run."""


class Store:
    """An outputs folder: its runs, and which of them is current.

    It need not be there yet. Raises `KdError` for a place where no folder can be, or none that can be read.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()
        try:
            os.stat(self.root)
        except FileNotFoundError:
            if not os.path.islink(self.root):
                return
            problem = "is a symbolic link that leads nowhere"
        except OSError as error:
            problem = f"cannot be the outputs folder: {error.strerror}"
        else:
            if os.path.isdir(self.root) and os.access(self.root, os.R_OK | os.X_OK):
                return
            problem = "cannot be read" if os.path.isdir(self.root) else "is not a folder"
        raise KdError(f"{self.root} {problem}", "name another outputs folder with --outputs DIR")

    def command(self, stage: str, /, *arguments: str, **options: Any) -> Command:
        """Return a command that works in this folder."""
        return Command(stage, arguments, options, outputs=self.root)

    def runs(self) -> list[str]:
        """Names of the runs, sorted."""
        with told_apart(self.root):
            if not self.root.is_dir():
                return []
            named = [p for p in self.root.iterdir() if NAME.fullmatch(p.name)]
            return sorted(p.name for p in named if (p / "recipe.toml").is_file())

    def studies(self) -> list[str]:
        """Names of the studies, sorted: folders of runs."""
        with told_apart(self.root):
            there = list(self.root.glob(f"*/{STUDY}")) if self.root.is_dir() else []
            return sorted(p.parent.name for p in there if NAME.fullmatch(p.parent.name))

    @property
    def current(self) -> str:
        """The current run's name; empty if there is none."""
        path = self.root / CURRENT
        with told_apart(path):
            try:
                return path.read_text(encoding="utf-8", errors="replace").strip()
            except (FileNotFoundError, NotADirectoryError):
                return ""

    @property
    def chosen(self) -> str:
        """The run that commands work on unless told otherwise: KD_RUN's, or the current one; or empty."""
        return named_run() or self.current

    def make_current(self, run: str) -> None:
        """Make a run the one that commands work on unless told otherwise."""
        with self._marker() as path:
            for rest in self.root.glob(f".{CURRENT}{NEW}*"):  # of a command that was cut off
                rest.unlink(missing_ok=True)
            write_file(path, f"{run}\n".encode())

    def unmake_current(self, run: str) -> None:
        """Make no run the current one if it is this, and leave another one that is."""
        with self._marker() as path:
            if self.current == run or self.current.startswith(f"{run}/"):  # of a study
                path.unlink(missing_ok=True)

    @contextmanager
    def _marker(self) -> Iterator[Path]:
        """Have the file to oneself that names the current run."""
        from filelock import FileLock

        path = self.root / LOCKS / CURRENT  # which no run is named
        follow_no_link(path.parent, self.root)
        with told_apart(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path):
                yield self.root / CURRENT

    def run(self, name: str) -> Run:
        """Return the run of this name, there or not; raises `UsageError` for a name that cannot be one."""
        check_run_name(name, "run")
        check_not_current(name.partition("/")[0], "run")
        return Run(self, name)

    def existing_run(self, name: str | None) -> Run:
        """Return the run of this name, or the `chosen` one for None; raises `KdError` if it is not there."""
        by_shell = name is None and named_run() is not None
        if name is None:
            name = self.chosen
            if not name:
                raise KdError(
                    f"there is no current run in {self.root}", ("make one with ", self.command("gen-data"))
                )
        run = self.run(name).no_study()
        if not run.recipe_path.is_file():
            advice = f"KD_RUN names {name}; " if by_shell else ""
            make = self.command("gen-data", run=name if by_shell else "NAME")
            raise unknown("run", name, self.runs(), joined(advice, (make,), " makes one"))
        follow_no_link(run.path, self.root)
        return run


@dataclass(frozen=True)
class Run:
    """One experiment: a folder in the store, or in that of a study: its name is STUDY/NAME then."""

    store: Store
    name: str

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.store.root / self.name

    @property
    def recipe_path(self) -> Path:
        """The file of the run's recipe."""
        return self.path / "recipe.toml"

    def no_study(self) -> Run:
        """Return the run; raises `UsageError` where its folder is a study's, whose runs have other names."""
        if os.path.isfile(self.path / STUDY):
            raise UsageError(
                f"{self.name} is a study: name a run of it, {self.name}/NAME",
                (self.store.command("runs", self.name), " lists them"),
            )
        return self

    def command(self, stage: str, /, *arguments: str, **options: Any) -> Command:
        """Return a command that works on this run."""
        return Command(stage, arguments, options, run=self.name, outputs=self.store.root)

    def read_recipe(self) -> bytes:
        """Return the run's recipe, which people edit."""
        follow_no_link(self.recipe_path, self.store.root)
        return read_record(self.recipe_path)

    def write_recipe(self, text: str) -> None:
        """Store the run's recipe."""
        self._write(self.recipe_path, text.encode())

    def artefact(self, name: str) -> Artefact:
        """Return the artefact of this name, such as "data" or "students/soft-T4-mlp4", there or not."""
        return Artefact(self, name)

    def artefacts(self, folder: str) -> list[Artefact]:
        """Return the artefacts in a folder of the run, sorted by name; unfinished ones are among them."""
        path = self.path / folder
        with told_apart(path):
            there = list(path.iterdir()) if path.is_dir() else []
        names = sorted(p.name for p in there if NAME.fullmatch(p.name) and p.is_dir())
        return [self.artefact(f"{folder}/{name}") for name in names]

    def resume_point(self, name: str) -> ResumePoint:
        """Return where the training of this name keeps its state, "teacher" or "students-MODEL"."""
        return ResumePoint(self.path / RESUME / name)

    @property
    def _lock(self) -> Path:
        return self.store.root / LOCKS / self.name.replace("/", "@")  # which no name has

    @property
    def is_locked(self) -> bool:
        """Whether a process works on the run at this moment."""
        from filelock import FileLock, Timeout

        if not self._lock.is_file():
            return False
        try:
            with FileLock(self._lock).acquire(timeout=0):
                return False
        except Timeout:
            return True

    @contextmanager
    def locked(self, *, wait: bool = True, waiting: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
        """Have the run to oneself; gives the names of leftovers that were cleared up.

        While another process has it, calls `waiting` and waits, or raises `KdError` if it is not to `wait`.
        The system frees the lock of a process that died.
        """
        from filelock import FileLock, Timeout

        path = self._lock
        follow_no_link(path.parent, self.store.root)
        first = not self.store.root.exists()
        with told_apart(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if not wait:
                    raise BusyError(
                        f"another kd is working on run {self.name}", "leave out --no-wait to wait for it"
                    ) from None
                waiting()
                lock.acquire()
        try:
            rests = list(self.path.parent.glob(f".{self.path.name}{DELETED}*"))
            for rest in rests:
                shutil.rmtree(rest, ignore_errors=True)
            swept = [name for part in PARTS for name in sweep(self.path / part)]
            yield [rest.name for rest in rests] + swept
        finally:
            lock.release()
            if first and not self.path.exists():  # refused: no trace is left where there was nothing
                with suppress(OSError):
                    path.unlink()
                    path.parent.rmdir()
                    self.store.root.rmdir()

    def write_figure(self, file: str, content: bytes) -> Path:
        """Store one figure; figures are views of the artefacts, and drawn anew at will."""
        path = self.path / "figures" / file
        self._write(path, content)
        return path

    def export_path(self, name: str) -> Path:
        """Return the folder of an exported student."""
        return self.path / "exports" / fitting(name)

    def write_export(self, path: Path, contents: Mapping[str, bytes]) -> None:
        """Store the files of an exported student; exports are made anew at will, like figures."""
        follow_no_link(path, self.store.root)
        with told_apart(path), new_folder(path) as folder:
            for file, content in contents.items():
                write_synced(folder / file, content)

    def write_report(self, file: str, text: str) -> None:
        """Store a report beside the artefacts that it is drawn from, in place of an older one."""
        self._write(self.path / file, text.encode())

    def _write(self, path: Path, content: bytes) -> None:
        follow_no_link(path.parent, self.store.root)
        write_file(path, content)
