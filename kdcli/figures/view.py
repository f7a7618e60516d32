"""What a figure may draw of a run, as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


MOST_PANELS = 12  # that a figure with a panel for each student set may have


@dataclass(frozen=True)
class Curves:
    """Learning curves: epochs (points,); train and val (seeds, points), losses in nats."""

    epochs: Array
    train: Array
    val: Array


@dataclass(frozen=True)
class Trees:
    """Size of trees: leaves (seeds,), and whether "nothing", "leaves" or something "else" limits them."""

    leaves: Array
    limited_by: str


@dataclass(frozen=True)
class Reliability:
    """Test predictions of all seeds by bins of their top probability; bins without any are left out.

    confidence, right (bins,): mean top probability and share that is right; count (bins,): of predictions,
    `seeds` for each example.
    """

    confidence: Array
    right: Array
    count: Array
    seeds: int


@dataclass(frozen=True)
class Difference:
    """How a student set differs from its control on a metric, on the scale that `axis` names.

    mean is None where both are infinite, or where there is `nothing` to compare; low and high are None where
    the interval has no ends. verdict is "better", "worse", "no difference shown", or None with a single seed.
    """

    group: str
    title: str
    metric: str
    axis: str
    mean: float | None
    low: float | None
    high: float | None
    verdict: str | None
    nothing: bool = False


@dataclass(frozen=True)
class Subject:
    """The teacher, or the students of one set.

    Of students are target, temperature, transfer_size (0 for all training examples), and variant: what
    else sets them apart, such as "w = 0.3"; and whether they are a `part` of the seeds that were trained.
    accuracy (seeds,): on the test split. score: a metric's mean and the ends of its 95 % interval there.
    reliability: of all seeds there. Of one seed (see `View.seed`) are predict: class probabilities
    `(n, n_classes)` at x `(n, *features)`; tested: those on the test split; and accuracy_of_one. curves: of
    a model trained by gradients. trees: of decision trees.
    """

    title: str
    model: str
    loss: str
    accuracy: Array
    accuracy_of_one: float
    predict: Callable[[Array], Array]
    tested: Callable[[], Array]
    score: Callable[[str], tuple[float, float, float]]
    reliability: Callable[[], Reliability]
    target: str = ""
    temperature: float = 1.0
    transfer_size: int = 0
    variant: str = ""
    part: bool = False
    curves: Curves | None = None
    trees: Trees | None = None


@dataclass(frozen=True)
class View:
    """A run's test split, its teacher, its student sets, and P(y|x) over x `(n, *features)` where known.

    run: what the run is called. seed: which student of each set is drawn by itself; None where the sets have
    none in common, and the first of each is. knowledge: the teacher's logits on the training split
    `(n, n_classes)`, and its labels `(n,)`. classes: their names, if those are not their indices.
    differences: of student sets from their controls, none where there is nothing to compare.
    """

    run: str
    n_classes: int
    x_test: Array
    y_test: Array
    posterior: Callable[[Array], Array] | None
    bayes_accuracy: float | None
    teacher: Subject | None
    students: Sequence[Subject]
    seed: int | None = 0
    knowledge: Callable[[], tuple[Array, Array]] | None = None
    classes: Sequence[str] = ()
    differences: Callable[[], Sequence[Difference]] = list

    @property
    def subjects(self) -> list[Subject]:
        """The teacher, if there is one, and the student sets."""
        return [*([self.teacher] if self.teacher else []), *self.students]

    @property
    def class_names(self) -> list[str]:
        """What the classes are called, in the order of their indices."""
        return list(self.classes or map(str, range(self.n_classes)))

    @property
    def drawn(self) -> str:
        """Which student of each set is drawn by itself, in words."""
        return "the first seed that is left" if self.seed is None else f"seed {self.seed}"


def that_fit(students: Sequence[Subject], room: int) -> list[Subject]:
    """Return the students that a figure has room for: all, or as many as fit of the first one's model."""
    if len(students) <= room:
        return list(students)
    return [subject for subject in students if subject.model == students[0].model][:room]


def parts_named(students: Sequence[Subject]) -> str:
    """Name in a figure's caption the sets that left out seeds; empty if none did."""
    parts = [f"{subject.title} ({subject.model})" for subject in students if subject.part]
    return "\n" + fill(f"Seeds whose training failed are left out: {'; '.join(parts)}.", 100) if parts else ""


def count_shown(students: Sequence[Subject], room: int) -> str:
    """Say in a figure's caption how many students it shows, if that is not all; empty if it is."""
    shown = len(that_fit(students, room))
    return f"\nShown are {shown} of {len(students)} student sets." if shown < len(students) else ""


def crowded_out(students: Sequence[Subject], room: int) -> str:
    """Say which students a figure has no room for; empty if it has room for all."""
    shown = that_fit(students, room)
    if len(shown) == len(students):
        return ""
    counts = f"shows {len(shown)} of {len(students)} student sets"
    if len({subject.model for subject in students}) == 1:
        return f"{counts}, the first: it has no room for more"
    return f"{counts}, those of {shown[0].model}; `kd plot --model MODEL` draws those of another model"
