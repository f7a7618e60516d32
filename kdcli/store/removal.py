"""Removing runs so that a crash leaves the whole run, or a hidden remainder that commands ignore."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from contextlib import suppress

from kdcli.errors import KdError
from kdcli.store.files import DELETED, sync_folder, told_apart
from kdcli.store.runs import Run


def remove_run(run: Run) -> None:
    """Remove a run's folder, and the marker if it names this run; links in it are removed, not followed.

    Raises `KdError` if the folder itself is a link, or cannot be moved or emptied.
    """
    if os.path.islink(run.path) or not os.path.isdir(run.path):
        raise KdError(f"{run.path} is a link, or no longer a folder", "nothing was deleted")
    root = run.path.parent
    aside = root / f".{run.path.name}{DELETED}{secrets.token_hex(4)}"
    with told_apart(run.path):
        run.path.rename(aside)
        sync_folder(root)
    with suppress(KdError):  # a marker that cannot be read names no run
        run.store.unmake_current(run.name)
    try:
        shutil.rmtree(aside)
    except OSError as error:
        raise KdError(
            f"run {run.name} is deleted, but not all of its files could be removed: {error.strerror}",
            f"remove the rest with `rm -r {shlex.quote(str(aside))}`",
        ) from None
