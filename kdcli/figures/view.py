"""What a figure may draw of a run, as plain arrays. What takes reading or computing is a function.

A figure calls only the functions that it needs: what it does not ask for is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Examples:
    """A split of the data: x `(n, *features)`, class indices y `(n,)`."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Curves:
    """Learning curves: epochs (points,); train and val (draws, seeds, points), losses in nats.

    The accuracies, of the same shape, are None where they were not recorded.
    """

    epochs: Array
    train: Array
    val: Array
    train_accuracy: Array | None = None
    val_accuracy: Array | None = None


@dataclass(frozen=True)
class Reliability:
    """Test predictions of all draws and seeds by bins of their top probability; empty bins are left out.

    left (bins,): where each bin begins, all being of one `width`; confidence, accuracy (bins,): mean top
    probability, and share of correct predictions; count (bins,): number of predictions, of which each test
    example has so many on average (`each`).
    """

    left: Array
    width: float
    confidence: Array
    accuracy: Array
    count: Array
    each: float


@dataclass(frozen=True)
class Difference:
    """The difference of a student set from its control on a metric, in the metric's `unit`.

    mean is None where both are infinite, or where there is `nothing` to compare; low and high are None where
    the interval has no ends. verdict is "better", "worse", "no difference shown", or None; then `why` says
    what is in the way. by_draw has the difference in each draw, NaN where both are infinite.
    """

    group: str
    title: str
    metric: str
    unit: str
    preferred: str
    mean: float | None
    low: float | None
    high: float | None
    verdict: str | None
    nothing: bool = False
    why: str = ""
    by_draw: Sequence[float] = ()

    @property
    def axis(self) -> str:
        """The label of an axis of such differences."""
        unit = f"{self.unit}; " if self.unit else ""
        return f"{self.metric} difference from control\n({unit}{self.preferred} is better)"

    @property
    def sign(self) -> int:
        """1 where a positive difference is for the better, else −1."""
        return 1 if self.preferred == "higher" else -1


@dataclass(frozen=True)
class Subject:
    """The teacher, or the students of one set.

    Where one model is shown it is one of draw 0, as is all else that is shown of a single draw.

    settings     what it was trained with, such as "target", "temperature", "transfer" and "epochs"
    recorded     numbers (draws, seeds), such as "accuracy" on the test split, and "leaves" of trees
    logits       on the test split of draw 0, (seeds, n, n_classes)
    predict      class probabilities (n, n_classes) at x (n, *features), of the seed that is `shown`
    score        mean of a metric on the test splits, and the ends of its 95 % interval
    reliability  of all draws and seeds, on the test splits
    curves       learning curves; None of a model that is not trained by gradients
    size         bytes of its numbers, a mean over seeds; None where the model is not kept
    shown        position of the seed that stands for the set where a figure shows a single student
    variant      settings that set it apart from other sets of its target, such as "w = 0.3"
    partial      whether seeds are missing because their training failed
    limited_by   what keeps trees from growing: "nothing", "leaves" alone, or something "else"
    askable      whether it can be asked about other examples; of a teacher from elsewhere answers are known
    """

    title: str
    model: str
    settings: Mapping[str, Any]
    recorded: Mapping[str, Array]
    logits: Callable[[], Array]
    predict: Callable[[Array], Array]
    score: Callable[[str], tuple[float, float, float]]
    reliability: Callable[[], Reliability]
    curves: Callable[[], Curves | None]
    size: Callable[[], float | None] = lambda: None
    shown: int = 0
    variant: str = ""
    partial: bool = False
    limited_by: str = "nothing"
    askable: bool = True

    @property
    def name(self) -> str:
        """The title with the model, such as "soft, T = 4 (mlp:4)"."""
        return f"{self.title} ({self.model})"

    @property
    def target(self) -> str:
        """What the students were taught; empty for the teacher."""
        return str(self.settings.get("target", ""))

    @property
    def temperature(self) -> float:
        """Temperature of the targets, given or chosen."""
        return float(self.settings.get("chosen_temperature") or self.settings.get("temperature", 1.0))

    @property
    def chose_temperature(self) -> bool:
        """Whether the temperature was chosen on the validation split."""
        return "chosen_temperature" in self.settings

    @property
    def transfer(self) -> str:
        """The examples that the students were taught on."""
        return str(self.settings.get("transfer", "train"))

    @property
    def labels_from(self) -> str:
        """Whose labels the training examples have: as the "target" says, or from elsewhere."""
        return str(self.settings.get("labels_from", "target"))

    @property
    def group(self) -> tuple[Any, ...]:
        """What the sets of one table share: those of other groups are no fair comparison."""
        return (self.model, self.transfer, self.settings.get("class_weight", "none"))

    def probabilities(self) -> Array:
        """Class probabilities on the test split `(n, n_classes)`, of the seed that is `shown`."""
        return softmax(self.logits()[self.shown])


@dataclass(frozen=True)
class View:
    """A run's data, its teacher and its student sets.

    run            what the run is called
    class_names    in the order of the class indices
    feature_names  in the order of the columns of x; none where they have none, as pixels
    splits         "train", "val" and "test" of draw 0
    posterior      P(y|x) as (n, n_classes) at x (n, *features), where it is known
    bayes          metrics of the exact posterior on each test split, (draws,), where it is known
    teacher_logits the teacher's logits on a split of draw 0 by its name, (n, n_classes)
    seed           the seed that stands for each set; None where the sets have none in common
    differences    of student sets from their controls; none where there is nothing to compare
    draws          number of draws of the data
    columns        the features of each column of a table, by its name; none of pixels and points
    drawing        how several come about: "sampled" anew, "split" anew from one pool, or with the "test kept"
    """

    run: str
    class_names: Sequence[str]
    feature_names: Sequence[str]
    splits: Mapping[str, Examples]
    posterior: Callable[[Array], Array] | None = None
    bayes: Mapping[str, Array] | None = None
    teacher: Subject | None = None
    students: Sequence[Subject] = field(default_factory=list)
    teacher_logits: Callable[[str], Array] | None = None
    seed: int | None = 0
    differences: Callable[[], Sequence[Difference]] = list
    draws: int = 1
    columns: Mapping[str, Sequence[int]] = field(default_factory=dict)
    drawing: str = "sampled"

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def test(self) -> Examples:
        """The test split."""
        return self.splits["test"]

    @property
    def subjects(self) -> list[Subject]:
        """The teacher, if there is one, and the student sets."""
        return [*([self.teacher] if self.teacher else []), *self.students]

    @property
    def askable(self) -> View:
        """The run without a teacher that cannot be asked about other examples."""
        return self if self.teacher is None or self.teacher.askable else replace(self, teacher=None)

    @property
    def representatives(self) -> list[Subject]:
        """The teacher, the control, and the soft set of the highest temperature, of the first group."""
        alike = [subject for subject in self.students if subject.group == self.students[0].group]
        control = [subject for subject in alike if subject.target == "labels"][:1]
        soft = sorted((s for s in alike if s.target == "soft"), key=lambda s: s.temperature)[-1:]
        return [*([self.teacher] if self.teacher else []), *((control + soft) or alike[:2])]

    @property
    def shown_seed(self) -> str:
        """The seed that stands for each set, in words."""
        return "the first remaining seed" if self.seed is None else f"seed {self.seed}"


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Softmax over the last axis, of logits divided by the temperature."""
    import numpy as np

    scaled = logits / temperature
    p: Array = np.exp(scaled - scaled.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p
