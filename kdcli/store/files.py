"""Files written so that a reader, a crash or a full disk never sees or leaves a half."""

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

# In hidden names beside a file or folder: what is being written, what it takes the place of, what goes.
NEW, REPLACED, DELETED = ".new-", ".replaced", ".deleted-"
LARGEST_RECORD = 2**26  # bytes


def write_file(path: Path, *content: bytes) -> None:
    """Write one file, part after part, so that a reader sees the old content or the new and no mixture."""
    with replacing(path) as temporary:
        write_synced(temporary, *content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let another file be written that takes the place of this one when it is whole."""
    with told_apart(path):
        if os.path.isdir(path):
            raise IsADirectoryError
        if os.path.exists(path) and not os.path.isfile(path):
            raise KdError(f"{path} is a device or the like, which no file can replace", "name another file")
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
    """Read a small file, such as `meta.json`; raises `KdError` for one that no stage would write so large."""
    with told_apart(path):
        size = path.stat().st_size
        if size > LARGEST_RECORD:
            raise KdError(
                f"{path} has {size:,} bytes, more than kd writes or reads", "remove it, or the run it is of"
            )
        return path.read_bytes()


def read_whole(path: Path) -> bytes:
    """Read a file of tensors; raises `KdError` for one that memory has no room for."""
    with told_apart(path):
        size, free = path.stat().st_size, free_memory()
        if free is not None and size > free:
            raise KdError(
                f"{path} has {size:,} bytes, and memory has {free:,} free",
                "close other programs, or make it again with fewer examples or students",
            )
        return path.read_bytes()


def follow_no_link(path: Path, root: Path) -> None:
    """Raise `KdError` if a symbolic link leads from the folder `root` to what lies in it at `path`."""
    while path != root and path != path.parent:
        if path.is_symlink():
            raise KdError(
                f"{path} is a symbolic link, and kd follows none in its outputs folder",
                "put what it leads to in its place, or move the whole folder with --outputs",
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
    except SafetensorError as error:  # such as of a full disk
        raise OSError(errno.EIO, str(error)) from None
    path.chmod(0o666 & ~_umask())
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to fill, and move it to `path` when that went well."""
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
    """Return where the old folder lies while a new one takes its place."""
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
    """Turn what the file system refuses into a message about `path`."""
    try:
        yield
    except FileNotFoundError:
        raise KdError(f"{path} is missing", "make it again with the command of its stage") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        blocking = in_the_way(path) or path
        what = "a folder, not a file" if os.path.isdir(blocking) else "not a folder"
        raise KdError(
            f"cannot use {path}: {blocking} is {what}",
            "move it elsewhere; nothing that was there before was changed",
        ) from None
    except OSError as error:
        raise KdError(
            f"cannot use {path}: {error.strerror}", "nothing that was there before was changed"
        ) from None


def in_the_way(path: Path) -> Path | None:
    """Return what is no folder and stands where one should be that leads to `path`; None if nothing does."""
    return next((p for p in path.parents if os.path.lexists(p) and not os.path.isdir(p)), None)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all that it holds."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def sweep(folder: Path) -> list[str]:
    """Clear up what a command that was cut off left in a folder; returns the names of what it cleared.

    Only for who has the run to itself. Files and folders that were not finished are removed. An artefact
    that was moved aside for one that did not come is put back. What a link leads to is left alone.
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
