"""The refusal of what does not fit in the memory or on the disk.

A request too large would otherwise end in the allocator's traceback, in swapping, or with the whole session
killed, after minutes perhaps.
"""

from collections.abc import Callable
from pathlib import Path

from kdcli.errors import KdError
from kdcli.store import free_disk, free_memory

SAFETY = 110  # percent of a need: what allocators round up, and what is not a tensor
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def padded(bytes_needed: int) -> int:
    """Return a need with the factor of safety, in whole numbers: a need may be beyond any float."""
    return bytes_needed * SAFETY // 100


def check_memory(what: str, needed: int, hint: Callable[[int], str], free: int | None = None) -> None:
    """Raise `KdError` if `what` needs more memory than there is.

    `hint` gets the bytes that are there, less the factor of safety. `free` is what there is, if it is not
    the memory of this machine.
    """
    there = free_memory() if free is None else free
    if there is not None and padded(needed) > there:
        message = f"{what} about {amount(padded(needed))} of memory, and {amount(there)} are free"
        raise KdError(message, hint(there * 100 // SAFETY))


def check_disk(what: str, needed: int, folder: Path, hint: str) -> None:
    """Raise `KdError` if `what` needs more bytes on disk than are free where `folder` is or will be."""
    there = free_disk(folder)
    if there is not None and padded(needed) > there:
        raise KdError(
            f"{what} about {amount(padded(needed))} on disk, and {amount(there)} are free in {folder}", hint
        )


def amount(size: int) -> str:
    """Write a number of bytes for a person, such as "560 GB": two digits, in powers of 1000."""
    power = (len(str(size)) - 1) // 3
    if power >= len(UNITS):
        return f"1,000 {UNITS[-1]} or more"
    value = size / 1000**power
    return f"{value:.{1 if power and value < 9.95 else 0}f} {UNITS[power]}"


def count(number: int) -> str:
    """Write a count for a person: one beyond all measure by its digits alone."""
    return f"{number:,}" if number < 10**18 else f"10^{len(str(number)) - 1}"


def rounded_down(number: int) -> int:
    """Return the largest number with two digits and zeros after them that is at most this one."""
    power: int = 10 ** max(0, len(str(number)) - 2)
    return number // power * power
