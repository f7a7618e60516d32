"""Draws: each is a sample or split of the data, with a teacher that its students learn from."""

from dataclasses import dataclass
from typing import Literal, get_args

Drawing = Literal["sampled", "split", "test kept"]
"""How draws come about: each is a new sample, a new split of all examples, or of all but the test set."""

DRAWINGS: tuple[Drawing, ...] = get_args(Drawing)


@dataclass(frozen=True)
class Draw:
    """One draw: its number, the seed `data` of samples and splits, and the seed `teacher` of training.

    Random choices that concern the data, such as a transfer set, depend only on the data's seed and the
    draw's number: all students of a draw share them.
    """

    number: int
    data: int
    teacher: int
