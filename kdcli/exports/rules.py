"""Rules: a tree or a linear model as text that a person can read and approve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kdcli.exports.features import Feature, features_of, middle_of, moment, number, plain
from kdcli.exports.kind import Exported, FormatKind
from kdcli.words import counted, listed

if TYPE_CHECKING:
    import numpy as np

    from kdcli.data.tables.encoding import Encoded
    from kdcli.models.computation import Dense, Trees

INDENT = "    "
LARGE = 20  # a mean this many standard deviations away from 0 is far from 0


def obstacle(student: Exported) -> str:
    """Return why a student cannot be written as rules; empty if it can."""
    computation = student.computation
    if not student.columns:
        return "rules need data with named columns"
    readable = computation.tree is not None or computation.affine is not None
    return "" if readable else "only decision trees and linear models can be written as rules"


def write(student: Exported) -> bytes:
    """Write the rules of a tree or a linear model; raises ValueError for others."""
    features = [feature for column in student.columns for feature in features_of(column)]
    if (tree := student.computation.tree) is not None:
        lines, used = _tree(student, tree, features), set(tree.feature.tolist())
    elif (affine := student.computation.affine) is not None:
        lines, used = _linear(student, affine, features), set(range(len(features)))
    else:
        raise ValueError(obstacle(student))
    of_feature = [column for column in student.columns for _ in column.features]
    columns = [column for column in student.columns if any(of_feature[k] is column for k in used)]
    terms = _terms(columns) if student.fills else ()
    return "\n".join([f"{student.who}, taught: {student.taught}", "", *lines, *terms, ""]).encode()


def _tree(student: Exported, tree: Trees, features: Sequence[Feature]) -> Iterator[str]:
    """Yield the lines of a tree, from the root down."""
    import numpy as np

    n, classes = len(student.x), [plain(name) for name in student.classes]
    ends = np.bincount(tree.leaves(student.x)[:, 0], minlength=len(tree.value))
    yield "A decision tree. From the top, follow the conditions that hold for a row to an arrow: its class."
    yield f"In brackets: the probability of each class, and how many of the {n:,} training rows end there."
    yield ""
    to_do = [(int(tree.roots[0]), 0, "")]
    while to_do:
        node, depth, condition = to_do.pop()
        if condition:
            yield f"{INDENT * (depth - 1)}{condition}:"
        if node < 0:
            p = tree.value[-1 - node].tolist()
            shares = ", ".join(f"{name} {100 * share:.2f} %" for name, share in zip(classes, p, strict=True))
            support = counted(int(ends[-1 - node]), "row")
            yield f"{INDENT * depth}→ {classes[p.index(max(p))]}   ({shares}; {support})"
            continue
        left, right = tree.branches[node].tolist()
        feature = features[tree.feature[node]]
        low, high = feature.sides(float(tree.threshold[node]))
        ways = [(f"if {low}", left), (f"else, {high}", right)]
        if feature.holds:  # what holds comes first
            ways = [(f"if {high}", right), (f"else, {low}", left)]
        to_do += [(below, depth + 1, told) for told, below in reversed(ways)]


def _linear(student: Exported, affine: Dense, features: Sequence[Feature]) -> Iterator[str]:
    """Yield the sums of a linear model: one sum for two classes, otherwise one for each class."""
    weight, centre = affine.weight.astype(float), _centre(student.x, features)
    bias = affine.bias + weight @ centre
    classes = [plain(name) for name in student.classes]
    scale = student.x.std(0, dtype=float)
    measured = [_measured(feature, float(c)) for feature, c in zip(features, centre, strict=True)]
    yield "A linear model. The terms that vary most among the training rows come first."
    if len(classes) == 2:
        yield from _sum(f"score of {classes[1]}", weight[1] - weight[0], bias[1] - bias[0], scale, measured)
        yield ""
        yield f"The probability of {classes[1]} is 1 / (1 + exp(−score)), above ½ if the score is above 0."
        return
    for name, w, b in zip(classes, weight, bias, strict=True):
        yield from _sum(f"score of {name}", w, b, scale, measured)
    yield ""
    yield "The probability of a class is exp(its score) / the sum of exp(score) over all classes."


def _sum(
    name: str, weight: np.ndarray, bias: float, scale: np.ndarray, measured: Sequence[str]
) -> Iterator[str]:
    import numpy as np

    yield ""
    yield f"{name} ="
    yield f"{INDENT}  {number(bias)}"
    for k in np.argsort(-np.abs(weight * scale), kind="stable"):
        sign = "−" if weight[k] < 0 else "+"
        yield f"{INDENT}{sign} {number(abs(weight[k]))} {measured[k]}"


def _centre(x: np.ndarray, features: Sequence[Feature]) -> np.ndarray:
    """Return the origin of each feature: 0, or a round number near the mean if it varies little for its size.

    Without this, the sum would lose the digits that are written.
    """
    import numpy as np

    mean, deviation = x.mean(0, dtype=float), x.std(0, dtype=float)
    least = [
        0.0 if feature.date is None else 1.0 for feature in features
    ]  # the origin of a date is a whole day
    unit = np.maximum(10.0 ** np.ceil(np.log10(np.where(deviation > 0, deviation, 1.0))), least)
    large = (abs(mean) > LARGE * deviation) & (deviation > 0)
    return np.where(large, np.round(mean / unit) * unit, 0.0)


def _measured(feature: Feature, centre: float) -> str:
    """Write the factor that a weight is multiplied by."""
    if feature.holds:
        return f"if {feature.holds}"
    if feature.date is not None:
        return f"× {feature.name} in days since {moment(centre, feature.date)}"
    sign = "−" if centre > 0 else "+"
    return f"× ({feature.name} {sign} {number(abs(centre))})" if centre else f"× {feature.name}"


def _terms(columns: Sequence[Encoded]) -> Iterator[str]:
    """Yield what replaces a missing value in these columns, and which values are "other" categories."""
    filled = [f"{plain(column.name)} {middle_of(column)}" for column in columns if column.kind != "category"]
    yield ""
    if filled:
        yield f"A missing value is replaced: {'; '.join(filled)}."
    for column in columns:
        if column.others:
            levels = listed([f"'{plain(level)}'" for level in column.levels], "or") if column.levels else "''"
            yield f"{plain(column.name)} is another value if it is given, and not {levels}."


FORMAT = FormatKind(
    "a tree or a linear model as readable text, in raw units",
    ".txt",
    write,
    obstacle,
    lambda file, student: "It is text for people: follow it from the top.",
)
