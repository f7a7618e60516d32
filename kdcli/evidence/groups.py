"""Comparisons within groups of the test examples: which groups gain, and which lose.

A student may be as good as its control overall and worse for some groups, since a small model's losses are
not spread evenly. Groups are the classes, or the values of a column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeVar

import torch
from torch import Tensor

from kdcli.data.tables.encoding import Encoded, placed
from kdcli.errors import KdError, UsageError, unknown
from kdcli.evidence.gather import Evidence
from kdcli.evidence.verdicts import Measured, StudentsMeasured, Versus, contrast, decide
from kdcli.exports.features import written
from kdcli.progress import Watch, unwatched
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import Data

M = TypeVar("M", bound=Measured)

CLASS = "class"
METRIC = "accuracy"
LEAST = 10  # test examples of a group in each draw
MOST = 30  # groups
MISSING, ANOTHER = "(missing)", "(another)"
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class Group:
    """A group of test examples: its members in each draw, `(n,)` bool."""

    name: str
    members: Sequence[Tensor]

    @property
    def examples(self) -> list[int]:
        """The number of examples in each draw."""
        return [int(of_draw.sum()) for of_draw in self.members]


@dataclass(frozen=True)
class Within:
    """The comparison of a set with its control within a group; accuracies are means over draws and seeds."""

    students: StudentsMeasured
    group: Group
    versus: Versus
    accuracy: float
    of_control: float
    of_teacher: float | None


@dataclass(frozen=True)
class ByGroup:
    """All comparisons within groups by a column, or `by_class`, with one correction.

    Of the other groups, `small` have too few test examples; `more` is the number of groups beyond the limit.
    """

    by: str
    by_class: bool
    groups: Sequence[Group]
    small: Sequence[str]
    more: int
    rows: Sequence[Within]

    def of(self, students: StudentsMeasured) -> list[Within]:
        """Return the comparisons of a set."""
        return [row for row in self.rows if row.students.name == students.name]


def by_groups(experiment: Experiment, evidence: Evidence, by: str, watch: Watch = unwatched) -> ByGroup:
    """Compare each set with its control within the groups of the test examples by a column, or by class.

    Raises `UsageError` for an unknown column, and `KdError` if all groups are small, or if the file with the
    column has changed.
    """
    by_class = _is_class(experiment.data, by)
    everything = [group for group in groups_by(experiment.data, by, watch) if any(group.examples)]
    large = sorted((g for g in everything if min(g.examples) >= LEAST), key=lambda g: -sum(g.examples))
    small = [group.name for group in everything if min(group.examples) < LEAST]
    chosen = {id(group) for group in large[:MOST]}
    groups = [group for group in everything if id(group) in chosen]
    if not groups:
        raise KdError(f"no group by {by} has {LEAST} test examples in each draw", "choose another column")
    pairs = [
        (students, evidence.named(students.control), group)
        for students in evidence.students
        if students.control
        for group in groups
    ]
    decided = decide(
        {
            k: contrast(_of(group, students), _of(group, control), METRIC)
            for k, (students, control, group) in enumerate(pairs)
        }
    )
    rows = [
        Within(
            students,
            group,
            decided[k],
            _mean(_of(group, students)),
            _mean(_of(group, control)),
            _mean(_of(group, evidence.teacher)) if evidence.teacher else None,
        )
        for k, (students, control, group) in enumerate(pairs)
    ]
    return ByGroup(by, by_class, groups, small, len(large) - len(groups), rows)


def _of(group: Group, measured: M) -> M:
    """Return the measurements on only the examples of a group."""
    values = [v[:, of_draw] for v, of_draw in zip(measured.values[METRIC], group.members, strict=True)]
    return replace(measured, values={METRIC: values})


def _mean(measured: Measured) -> float:
    return fmean(float(values.double().mean()) for values in measured.values[METRIC])


def _is_class(data: Data, by: str) -> bool:
    """Whether `by` means the classes: it names them, and no input column has this name."""
    label = data.record.config.label if data.dataset.dialect else CLASS
    return by in (CLASS, label) and all(column.name != by for column in data.description.encodings)


def groups_by(data: Data, by: str, watch: Watch = unwatched) -> Iterator[Group]:
    """Yield the groups of the test examples by class, or by a column of a table."""
    description = data.description
    tests = [data.pool.split("test", draw) for draw in range(description.draws)]
    encoded = {column.name: (column, place) for column, place in placed(description.encodings)}
    if _is_class(data, by):
        for k, name in enumerate(description.classes):
            yield Group(name, [test.y == k for test in tests])
    elif by in encoded:
        column, place = encoded[by]
        train = data.pool.split("train").x[:, place]
        if column.missing:
            train = train[train[:, -1] == 0]
        yield from _of_column(column, train[:, 0], [test.x[:, place] for test in tests])
    else:
        yield from _of_texts(_texts(data, by, watch), data)


def _of_column(column: Encoded, train: Tensor, xs: Sequence[Tensor]) -> Iterator[Group]:
    """Yield the groups by an encoded column: its categories, or quarters of its numbers."""
    lacking = [x[:, -1] > 0 if column.missing else torch.zeros(len(x), dtype=torch.bool) for x in xs]
    if column.kind == "category":
        for k, level in enumerate(column.levels):
            yield Group(level, [x[:, k] > 0 for x in xs])
        known = len(column.levels)
        yield Group(
            ANOTHER, [~((x[:, :known] > 0).any(1) | none) for x, none in zip(xs, lacking, strict=True)]
        )
    elif column.kind == "yes/no":
        for name, value in (("yes", 1), ("no", 0)):
            yield Group(name, [(x[:, 0] == value) & ~none for x, none in zip(xs, lacking, strict=True)])
    else:
        yield from _quarters(column, train, xs, lacking)
    yield Group(MISSING, lacking)


def _quarters(
    column: Encoded, train: Tensor, xs: Sequence[Tensor], lacking: Sequence[Tensor]
) -> Iterator[Group]:
    """Yield groups of numbers between the quartiles of the training rows."""
    ends = sorted({float(train.double().quantile(q)) for q in QUARTILES} - {float(train.max())})
    for k, (low, high) in enumerate(zip([None, *ends], [*ends, None], strict=True)):
        name = f"above {written(column, ends[-1])}" if high is None and ends else "all"
        if high is not None:
            name = (
                f"up to {written(column, high)}"
                if not k
                else f"above {written(column, ends[k - 1])}, up to {written(column, high)}"
            )
        inside = [
            ~none
            & (x[:, 0] > (-torch.inf if low is None else low))
            & (x[:, 0] <= (torch.inf if high is None else high))
            for x, none in zip(xs, lacking, strict=True)
        ]
        yield Group(name, inside)


def _texts(data: Data, by: str, watch: Watch) -> Sequence[str]:
    """Return the values of an unused column for all examples, as they are in the file."""
    columns = [column.name for column in data.description.decisions]
    if by not in columns or data.dataset.rows is None:
        raise unknown("group", by, [CLASS, *columns])
    values = data.dataset.rows(data.record.config, watch).values
    if values is None:
        raise UsageError(f"the data have no column '{by}'", f"--by {CLASS} groups by class")
    return ["" if value is None else str(value) for value in values(by)]


def _of_texts(texts: Sequence[str], data: Data) -> Iterator[Group]:
    """Yield the groups by the examples' texts, the most frequent first, up to twice the groups compared."""
    codes = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    coded = torch.tensor([codes[text] for text in texts])
    of_tests = [coded[data.pool.rows("test", draw)] for draw in range(data.description.draws)]
    counts = torch.stack([of_draw.bincount(minlength=len(codes)) for of_draw in of_tests]).amin(0)
    names = list(codes)
    for k in counts.argsort(descending=True, stable=True)[: MOST + MOST].tolist():
        yield Group(names[k] or MISSING, [of_draw == k for of_draw in of_tests])
