"""Atomic file writes: no reader, crash or full disk ever sees or leaves half a file."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.errors import KdError
from kdcli.store.space import free_memory

if TYPE_CHECKING:
    from torch import Tensor

# Parts of hidden names beside a file or folder: being written, being replaced, being deleted.
NEW, REPLACED, DELETED = ".new-", ".replaced", ".deleted-"
LARGEST_RECORD = 2**26  # bytes


def write_file(path: Path, *content: bytes) -> None:
    """Write one file, part by part, so that a reader sees the old content or the new, never a mixture."""
    with replacing(path) as temporary:
        write_synced(temporary, *content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file to write, which replaces this one once it is complete."""
    with told_apart(path):
        if os.path.isdir(path):
            raise IsADirectoryError
        if os.path.exists(path) and not os.path.isfile(path):
            raise KdError(f"{path} is not a regular file, and cannot be replaced", "name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}{NEW}", dir=path.parent)
        os.close(handle)
        try:
            os.chmod(temporary, 0o666 & ~_umask())
            yield Path(temporary)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def read_record(path: Path) -> bytes:
    """Read a small file, such as `meta.json`; raises `KdError` if it is larger than any stage would write."""
    with told_apart(path):
        size = path.stat().st_size
        if size > LARGEST_RECORD:
            raise KdError(f"{path} has {size:,} bytes, more than kd writes or reads", "remove it, or its run")
        return path.read_bytes()


def read_whole(path: Path) -> bytes:
    """Read a file of tensors; raises `KdError` if it does not fit in memory."""
    with told_apart(path):
        size, free = path.stat().st_size, free_memory()
        if free is not None and size > free:
            raise KdError(
                f"{path} has {size:,} bytes, but only {free:,} bytes of memory are free",
                "close other programs, or make it again with fewer examples or students",
            )
        return path.read_bytes()


def follow_no_link(path: Path, root: Path) -> None:
    """Raise `KdError` if there is a symbolic link on the way from the folder `root` to `path` inside it."""
    while path != root and path != path.parent:
        if path.is_symlink():
            raise KdError(
                f"{path} is a symbolic link, and kd follows no links in its outputs folder",
                "replace the link by its target, or use another outputs folder with --outputs",
            )
        path = path.parent


def write_synced(path: Path, *content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.writelines(content)
        file.flush()
        os.fsync(file.fileno())


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a file of tensors without a copy of them in memory, and wait until the disk has it."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:  # for example, a full disk
        raise OSError(errno.EIO, str(error)) from None
    path.chmod(0o666 & ~_umask())
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder to fill, and move it to `path` if that succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}{NEW}", dir=path.parent))
    try:
        folder.chmod(0o777 & ~_umask())
        yield folder
        sync_folder(folder)
        replaced = replaced_path(path)
        if path.is_dir():
            shutil.rmtree(replaced, ignore_errors=True)
            path.rename(replaced)
        folder.rename(path)
        sync_folder(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def replaced_path(path: Path) -> Path:
    """Return the path of the old folder while a new one takes its place."""
    return path.with_name(f".{path.name}{REPLACED}")


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
    """Turn errors of the file system into messages about `path`."""
    try:
        yield
    except FileNotFoundError:
        raise KdError(f"{path} is missing", "make it again with the command of its stage") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        blocking = in_the_way(path) or path
        what = "a folder, not a file" if os.path.isdir(blocking) else "not a folder"
        raise KdError(
            f"cannot use {path}: {blocking} is {what}",
            "move it elsewhere; no existing file was changed",
        ) from None
    except OSError as error:
        raise KdError(f"cannot use {path}: {error.strerror}", "no existing file was changed") from None


def in_the_way(path: Path) -> Path | None:
    """Return a parent of `path` that exists but is not a folder; None if there is none."""
    return next((p for p in path.parents if os.path.lexists(p) and not os.path.isdir(p)), None)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all that it holds."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def sweep(folder: Path) -> list[str]:
    """Remove the leftovers of an interrupted command from a folder; returns their names.

    Only for a process that has locked the run. Unfinished files and folders are removed. An artefact that was
    moved aside for a new one that was never finished is moved back. Links are not followed.
    """
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []:
        name = path.name[1:].removesuffix(REPLACED)
        if path.name.startswith(".") and path.name.endswith(REPLACED):
            if path.with_name(name).exists():
                _remove(path)
            else:
                path.rename(path.with_name(name))
        elif path.name.startswith(".") and NEW in path.name:
            _remove(path)
        else:
            continue
        found.append(path.name)
    return found
