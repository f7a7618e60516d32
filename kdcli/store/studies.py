"""Studies in the store: folders of runs with their plan, and artefacts that several runs share.

    outputs/STUDY/
      study.json              the plan
      NAME/                   a run
      .shared/                one copy of each artefact that several runs have

A shared artefact is hard-linked into each run that has it, or copied where the disk has no hard links. Links
are safe, since files are never changed in place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kdcli.errors import KdError
from kdcli.store.files import follow_no_link, new_folder, read_record, told_apart, write_file, write_synced
from kdcli.store.names import check_name, check_not_current
from kdcli.store.runs import LOCKS, STUDY, Run, Store

SHARED = ".shared"


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study, which need not exist; raises `UsageError` for an invalid name."""

    store: Store
    name: str

    def __post_init__(self) -> None:
        check_name(self.name, "study")
        check_not_current(self.name, "study")

    @property
    def path(self) -> Path:
        """The folder."""
        return self.store.root / self.name

    @property
    def is_there(self) -> bool:
        """Whether the study exists."""
        return (self.path / STUDY).is_file()

    def run(self, name: str) -> Run:
        """Return the run of this name, which need not exist."""
        return self.store.run(f"{self.name}/{name}")

    def read_plan(self) -> bytes:
        """Return the content of the stored plan."""
        follow_no_link(self.path, self.store.root)
        return read_record(self.path / STUDY)

    def write_plan(self, text: str) -> None:
        """Store the plan."""
        follow_no_link(self.path, self.store.root)
        write_file(self.path / STUDY, text.encode())

    def shelf(self, key: str) -> Path:
        """Return the folder of the shared artefact with this key."""
        return self.path / SHARED / key

    @contextmanager
    def making(self, key: str) -> Iterator[None]:
        """Lock the shared artefact with this key, so that only this process makes it."""
        from filelock import FileLock

        path = self.store.root / LOCKS / f"{self.name}@{SHARED}@{key}"
        follow_no_link(path.parent, self.store.root)
        with told_apart(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path):
                yield


def share(source: Path, target: Path) -> None:
    """Put the files of an artefact atomically in another place, as hard links if possible."""
    with told_apart(target), new_folder(target) as folder:
        for file in source.iterdir():
            try:
                os.link(file, folder / file.name)
            except OSError:
                shutil.copy2(file, folder / file.name)


def packed(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder and its subfolders, by relative path, without hidden ones."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def unpack(files: Mapping[str, bytes], target: Path) -> None:
    """Write the files of a folder atomically, replacing an existing one.

    Raises `KdError` for a path that leads out of the folder: they come from other machines.
    """
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise KdError(f"{name!r} is not a path inside {target}", "nothing was written")
    with told_apart(target), new_folder(target) as folder:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_synced(path, content)
