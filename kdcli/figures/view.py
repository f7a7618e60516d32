"""What a figure may draw of a run, as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Subject:
    """The teacher, or the students of one set.

    epochs (points,), train and val (seeds, points): learning curves, losses in nats.
    accuracy: test accuracy of the first seed. predict: class probabilities `(n, n_classes)` of the
    first seed at x `(n, *features)`.
    """

    title: str
    model: str
    loss: str
    epochs: Array
    train: Array
    val: Array
    accuracy: float
    predict: Callable[[Array], Array]


@dataclass(frozen=True)
class View:
    """A run's test split, its teacher, its student sets, and P(y|x) over x `(n, *features)` where known."""

    run: str
    n_classes: int
    x_test: Array
    y_test: Array
    posterior: Callable[[Array], Array] | None
    bayes_accuracy: float | None
    teacher: Subject | None
    students: Sequence[Subject]

    @property
    def subjects(self) -> list[Subject]:
        """The teacher, if there is one, and the student sets."""
        return [*([self.teacher] if self.teacher else []), *self.students]
