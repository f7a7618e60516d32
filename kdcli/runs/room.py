"""The refusal of what does not fit in the memory or on the disk.

A request too large would otherwise end in the allocator's traceback, in swapping, or with the whole session
killed, after minutes perhaps.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kdcli.errors import KdError
from kdcli.models.family import Model, Sizes
from kdcli.store import free_disk, free_memory

SAFETY = 110  # percent of a need: what allocators round up, and what is not a tensor
TRAINING = 150  # percent of a family's lower bound: activations, copies between processes, curves
POINT = 2 * 4 + 8 + 2 * 8  # bytes of a sampled point: x (2,) float32, y int64, posterior (2,) float64
COPIES = 3  # of points that are written: the tensors, the bytes of each, and the file that is made of them
SEED = 200  # bytes of a seed in the records of its set: a number, its text, and its scores
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def padded(bytes_needed: int) -> int:
    """Return a need with the factor of safety, in whole numbers: a need may be beyond any float."""
    return bytes_needed * SAFETY // 100


def check_memory(what: str, needed: int, hint: Callable[[int], str], free: int | None = None) -> None:
    """Raise `KdError` if `what` needs more memory than there is.

    `hint` gets the bytes that are free, less the factor of safety. `free` is given where it is not the
    memory of this machine that counts.
    """
    free = free_memory() if free is None else free
    if free is not None and padded(needed) > free:
        message = f"{what} about {amount(padded(needed))} of memory, and {amount(free)} are free"
        raise KdError(message, hint(free * 100 // SAFETY))


def check_disk(what: str, needed: int, folder: Path, hint: str) -> None:
    """Raise `KdError` if `what` needs more bytes on disk than are free where `folder` is or will be."""
    free = free_disk(folder)
    if free is not None and padded(needed) > free:
        raise KdError(
            f"{what} about {amount(padded(needed))} on disk, and {amount(free)} are free in {folder}", hint
        )


def sampled(points: int) -> tuple[int, int]:
    """Return what sampling and storing points of two features and two classes takes: memory and disk."""
    return COPIES * POINT * points, POINT * points


def check_seeds(seeds: int, sets: int) -> None:
    """Raise `KdError` for more seeds than can be listed, as the record of every set does."""
    check_memory(
        f"{count(seeds * sets)} students need",
        seeds * sets * SEED,
        lambda free: f"lower --seeds to {rounded_down(free // (sets * SEED))}",
    )


def check_training(model: Model, sizes: Sizes, folder: Path, free: int | None = None) -> None:
    """Raise `KdError` if training does not fit in memory, or what it stores not on the disk of `folder`.

    `free` is the free memory in bytes, where it is not that of this machine that counts.
    """
    several = sizes.members > 1
    what = f"{count(sizes.members)} models {model} need" if several else f"{model} needs"
    check_memory(what, _memory(model, sizes), lambda free: _advice(model, sizes, free), free)
    smaller = "name a smaller --model" + (", or lower --seeds" if several else "")
    check_disk(what, model.needs(sizes).disk, folder, f"{smaller}, or free some space")


def _memory(model: Model, sizes: Sizes) -> int:
    return model.needs(sizes).memory * TRAINING // 100


def _advice(model: Model, sizes: Sizes, free: int) -> str:
    """Return the flag to lower so that a training fits in the bytes that are free, and what to."""

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
        return "make data of fewer --draws"
    return "name a smaller --model, such as mlp:64,64"


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
