"""Free memory and free disk space of the machine."""

import os
import shutil
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int | None:
    """Return the bytes that can be allocated without swapping; None if they cannot be determined.

    On Linux this is MemAvailable, or what the control group's limit leaves if that is less; file pages count
    as free, since they can be evicted. Elsewhere it is the number of free pages.
    """
    there = [found for found in (_available(), _left_in_group()) if found is not None]
    if there:
        return min(there)
    try:
        pages, size = os.sysconf("SC_AVPHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return pages * size if pages > 0 and size > 0 else None


def _available() -> int | None:
    """Read MemAvailable (in KiB) and return it in bytes; None if it is not there to read."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _left_in_group() -> int | None:
    """Return the bytes that the control group may still allocate; None if it has no limit."""
    try:
        limit = int((CGROUP / "memory.max").read_text(encoding="ascii"))  # or the word "max"
        taken = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        rows = (line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        cached = sum(int(n) for name, n in rows if name in ("inactive_file", "active_file"))
    except (OSError, ValueError):
        return None
    return max(0, limit - taken + cached)


def free_disk(folder: Path) -> int | None:
    """Return the free bytes on the disk of `folder`, which need not exist; None if unknown."""
    there = next((place for place in (folder, *folder.absolute().parents) if place.is_dir()), folder)
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return None
