"""Draws: which sample or split of the data, and which teacher, the students of a run learn from."""

from dataclasses import dataclass
from typing import Literal, get_args

Drawing = Literal["sampled", "split", "test kept"]
"""How draws come about: each is sampled anew, or splits one pool anew, or all of it but the test set."""

DRAWINGS: tuple[Drawing, ...] = get_args(Drawing)


@dataclass(frozen=True)
class Draw:
    """One draw: its number, and the seeds `data` of the samples and splits and `teacher` of the trainings.

    What is left to chance on the data, such as a transfer set, depends on the data's seed and the draw's
    number alone: all students of a draw share it.
    """

    number: int
    data: int
    teacher: int
