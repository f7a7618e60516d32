"""How much memory and disk the machine has free."""

import os
import shutil
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int | None:
    """Return the bytes that may be taken without swapping; None where nobody tells.

    On Linux what the kernel calls available, or what the control group's limit leaves if that is less;
    file pages count as free, since they make way. Elsewhere the pages that the system calls free.
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
    """Read MemAvailable, which is in KiB."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _left_in_group() -> int | None:
    """Read what the control group may still take; None without a limit."""
    try:
        limit = int((CGROUP / "memory.max").read_text(encoding="ascii"))  # or the word "max"
        taken = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        rows = (line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        cached = sum(int(n) for name, n in rows if name in ("inactive_file", "active_file"))
    except (OSError, ValueError):
        return None
    return max(0, limit - taken + cached)


def free_disk(folder: Path) -> int | None:
    """Return the bytes that are free where `folder` is, or will be; None where nobody tells."""
    there = next((place for place in (folder, *folder.absolute().parents) if place.is_dir()), folder)
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return None
