"""Checks that refuse work that does not fit in memory or on the disk.

Otherwise a request that is too large might end, perhaps after minutes, in an allocator's traceback, in
swapping, or with the whole session killed.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kdcli.errors import KdError
from kdcli.models.family import Model, Sizes
from kdcli.store import free_disk, free_memory

SAFETY = 110  # percent of a need, for the rounding of allocators and for memory outside tensors
TRAINING = 150  # percent of a family's lower bound: activations, copies between processes, curves
POINT = 2 * 4 + 8 + 2 * 8  # bytes of a sampled point: x (2,) float32, y int64, posterior (2,) float64
COPIES = 3  # copies of points being written: the tensors, their bytes, and the content of the file
SEED = 200  # bytes of a seed in the records of its set: a number, its text, and its scores
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def padded(bytes_needed: int) -> int:
    """Return a need times the safety factor, in whole numbers, since a need may exceed any float."""
    return bytes_needed * SAFETY // 100


def check_memory(what: str, needed: int, hint: Callable[[int], str], free: int | None = None) -> None:
    """Raise `KdError` if `what` needs more memory than there is.

    `hint` gets the free bytes divided by the safety factor. `free` replaces the free memory of this machine,
    for example by that of a GPU.
    """
    free = free_memory() if free is None else free
    if free is not None and padded(needed) > free:
        message = f"{what} about {amount(padded(needed))} of memory, but only {amount(free)} are free"
        raise KdError(message, hint(free * 100 // SAFETY))


def check_disk(what: str, needed: int, folder: Path, hint: str) -> None:
    """Raise `KdError` if `what` needs more bytes on disk than are free where `folder` is or will be."""
    free = free_disk(folder)
    if free is not None and padded(needed) > free:
        raise KdError(
            f"{what} about {amount(padded(needed))} on disk, but only {amount(free)} are free in {folder}",
            hint,
        )


def sampled(points: int) -> tuple[int, int]:
    """Return the bytes of memory and of disk for points of two features and two classes."""
    return COPIES * POINT * points, POINT * points


def check_seeds(seeds: int, sets: int) -> None:
    """Raise `KdError` for more seeds than the records of the sets can list in memory."""
    check_memory(
        f"{count(seeds * sets)} students need",
        seeds * sets * SEED,
        lambda free: f"lower --seeds to {rounded_down(free // (sets * SEED))}",
    )


def check_training(model: Model, sizes: Sizes, folder: Path, free: int | None = None) -> None:
    """Raise `KdError` if training does not fit in memory, or its results on the disk of `folder`.

    `free` is the free memory in bytes of a device, if that counts instead of this machine's.
    """
    several = sizes.members > 1
    what = f"{count(sizes.members)} models {model} need" if several else f"{model} needs"
    check_memory(what, _memory(model, sizes), lambda free: _advice(model, sizes, free), free)
    smaller = "name a smaller --model" + (", or lower --seeds" if several else "")
    check_disk(what, model.needs(sizes).disk, folder, f"{smaller}, or free some space")


def _memory(model: Model, sizes: Sizes) -> int:
    return model.needs(sizes).memory * TRAINING // 100


def _advice(model: Model, sizes: Sizes, free: int) -> str:
    """Say which flag to lower, and to what, so that a training fits in the free memory."""

    def fits(seeds: int, sets: int = sizes.sets) -> bool:
        return _memory(model, replace(sizes, seeds=seeds, sets=sets)) <= free

    if sizes.seeds > 1 and fits(1):
        few, many = 1, sizes.seeds
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (middle, many) if fits(middle) else (few, middle)
        return f"lower --seeds to {rounded_down(few)}"
    if sizes.sets > 1 and fits(1, sets=1):
        return "name fewer values of --target and --temperature, or lower --seeds"
    if sizes.draws > 1 and _memory(model, replace(sizes, seeds=1, sets=1, draws=1)) <= free:
        return "make data with fewer --draws"
    return "name a smaller --model, such as mlp:64,64"


def amount(size: int) -> str:
    """Write a number of bytes for a person, such as "560 GB": two digits, in powers of 1000."""
    power = (len(str(size)) - 1) // 3
    if power >= len(UNITS):
        return f"1,000 {UNITS[-1]} or more"
    value = size / 1000**power
    return f"{value:.{1 if power and value < 9.95 else 0}f} {UNITS[power]}"


def count(number: int) -> str:
    """Write a count for a person; a huge one as a power of ten."""
    return f"{number:,}" if number < 10**18 else f"10^{len(str(number)) - 1}"


def rounded_down(number: int) -> int:
    """Return the largest number with two digits and zeros after them that is at most this one."""
    power: int = 10 ** max(0, len(str(number)) - 2)
    return number // power * power
