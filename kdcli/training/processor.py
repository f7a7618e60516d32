"""How PyTorch uses the processor while networks train: threads, denormal numbers, freed memory."""

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kdcli.version import installed

PACKAGES = ("kdcli", "torch", "numpy", "scikit-learn")

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names of glibc's malloc.h


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute on this number of threads. On one thread, denormal numbers count as 0.

    The moments of dead units become denormal after some 800 steps, and arithmetic on denormals is many times
    slower. The processor's flag is set for each thread, so it is set only where there is one thread.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    torch.set_flush_denormal(number == 1)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Stop glibc from handing each large freed block back to the system.

    Activations and gradients of megabytes are freed and allocated again at every step. glibc takes blocks
    above a threshold from the kernel and returns them at once, and the page faults then cost as much as
    the arithmetic. Without such blocks, and without trimming, memory is reused (mallopt(3), M_MMAP_MAX
    and M_TRIM_THRESHOLD). On other systems this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1)):
            mallopt(parameter, value)


def machine() -> dict[str, str]:
    """Return what else the bits of a training depend on than its configuration: versions and instructions."""
    return {
        **{name: installed(name) for name in PACKAGES},
        "python": platform.python_version(),
        "processor": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
