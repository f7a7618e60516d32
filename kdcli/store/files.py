"""Files written so that a reader, a crash or a full disk never sees or leaves a half."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdcli.errors import KdError


def write_file(path: Path, content: bytes) -> None:
    """Write one file so that a reader sees the old content or the new, never a part."""
    with told_apart(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.new-", dir=path.parent)
        os.close(handle)
        try:
            os.chmod(temporary, 0o666 & ~_umask())
            write_synced(Path(temporary), content)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to fill, and move it to `path` when that went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.new-", dir=path.parent))
    try:
        folder.chmod(0o777 & ~_umask())
        yield folder
        sync_folder(folder)
        replaced = replaced_path(path)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            path.rename(replaced)
        folder.rename(path)
        sync_folder(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def replaced_path(path: Path) -> Path:
    """Return where the old folder lies while a new one takes its place."""
    return path.with_name(f".{path.name}.replaced")


def sync_folder(path: Path) -> None:
    """Wait until the disk has a folder's list of files."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def told_apart(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into a message about `path`."""
    try:
        yield
    except FileNotFoundError:
        raise KdError(f"{path} is missing", "make it again with the command of its stage") from None
    except OSError as error:
        raise KdError(
            f"cannot use {path}: {error.strerror}", "nothing that was there before was changed"
        ) from None
