"""Draws: which sample or split of the data, and which teacher, the students of a run learn from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Draw:
    """One draw, by its seeds: `data` of the sample and its split, `teacher` of the teacher's training.

    What is left to chance on the data, such as a transfer set, depends on the data's seed alone: all students
    of a draw share it.
    """

    data: int
    teacher: int
