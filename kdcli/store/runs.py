"""The outputs folder: its runs, the current run, and the files of a run."""

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

STUDY = "study.json"  # the plan, in the folder of a study
LOCKS = ".locks"
RESUME = ".resume"  # folder of the states of unfinished trainings
PARTS = ("", "transfer", "students", "figures", "exports", RESUME)  # folders of a run that may have leftovers


def default_root() -> Path:
    """Return the outputs folder that commands use by default."""
    return Path(os.environ.get("KD_OUTPUTS") or "outputs")


def named_run() -> str | None:
    """Return the run that KD_RUN names for all commands of a shell; None if it is not set.

    Raises `UsageError` for a name that no run can have.
    """
    name = os.environ.get("KD_RUN")
    if not name:
        return None
    check_run_name(name, "run, as KD_RUN must")
    return name


class BusyError(KdError):
    """Another process is working on a run."""


class Store:
    """An outputs folder: its runs, and which of them is current.

    It need not exist yet. Raises `KdError` if it cannot be a folder, or cannot be read.
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
        """The run that commands work on by default: KD_RUN, or else the current run; empty without one."""
        return named_run() or self.current

    def make_current(self, run: str) -> None:
        """Make a run the current one."""
        with self._marker() as path:
            for rest in self.root.glob(f".{CURRENT}{NEW}*"):  # leftovers of an interrupted command
                rest.unlink(missing_ok=True)
            write_file(path, f"{run}\n".encode())

    def unmake_current(self, run: str) -> None:
        """Let no run be current if this run, or a run of this study, is; leave any other run current."""
        with self._marker() as path:
            if self.current == run or self.current.startswith(f"{run}/"):
                path.unlink(missing_ok=True)

    @contextmanager
    def _marker(self) -> Iterator[Path]:
        """Lock the file that names the current run."""
        from filelock import FileLock

        path = self.root / LOCKS / CURRENT  # no run has this name
        follow_no_link(path.parent, self.root)
        with told_apart(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path):
                yield self.root / CURRENT

    def run(self, name: str) -> Run:
        """Return the run of this name, which need not exist; raises `UsageError` for an invalid name."""
        check_run_name(name, "run")
        check_not_current(name.partition("/")[0], "run")
        return Run(self, name)

    def existing_run(self, name: str | None) -> Run:
        """Return the run of this name, or the `chosen` run for None; raises `KdError` if there is none."""
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
    """One experiment: a folder in the store, or in the folder of a study; then its name is STUDY/NAME."""

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
        """Return the run; raises `UsageError` if its folder is a study, whose runs have other names."""
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
        """Return the artefact of this name, such as "students/soft-T4-mlp4", which need not exist."""
        return Artefact(self, name)

    def artefacts(self, folder: str) -> list[Artefact]:
        """Return the artefacts in a folder of the run, including unfinished ones, sorted by name."""
        path = self.path / folder
        with told_apart(path):
            there = list(path.iterdir()) if path.is_dir() else []
        names = sorted(p.name for p in there if NAME.fullmatch(p.name) and p.is_dir())
        return [self.artefact(f"{folder}/{name}") for name in names]

    def resume_point(self, name: str) -> ResumePoint:
        """Return the place of a training's saved state; its name is "teacher" or "students-MODEL"."""
        return ResumePoint(self.path / RESUME / name)

    @property
    def _lock(self) -> Path:
        return self.store.root / LOCKS / self.name.replace("/", "@")  # no name has an @

    @property
    def is_locked(self) -> bool:
        """Whether a process is working on the run at this moment."""
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
        """Lock the run; yields the names of leftovers that were removed.

        If another process has the lock, call `waiting` and wait, or raise `KdError` unless `wait`. The system
        frees the lock of a process that died.
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
            if first and not self.path.exists():  # nothing was made, so leave no trace
                with suppress(OSError):
                    path.unlink()
                    path.parent.rmdir()
                    self.store.root.rmdir()

    def write_figure(self, file: str, content: bytes) -> Path:
        """Store one figure, replacing an older one: figures are views of artefacts and can be drawn again."""
        path = self.path / "figures" / file
        self._write(path, content)
        return path

    def export_path(self, name: str) -> Path:
        """Return the folder of an exported student."""
        return self.path / "exports" / fitting(name)

    def write_export(self, path: Path, contents: Mapping[str, bytes]) -> None:
        """Store the files of an exported student, replacing older ones: they can be made again."""
        follow_no_link(path, self.store.root)
        with told_apart(path), new_folder(path) as folder:
            for file, content in contents.items():
                write_synced(folder / file, content)

    def write_report(self, file: str, text: str) -> None:
        """Store a report in the run's folder, replacing an older one."""
        self._write(self.path / file, text.encode())

    def _write(self, path: Path, content: bytes) -> None:
        follow_no_link(path.parent, self.store.root)
        write_file(path, content)
