"""What tests of figures share: views of runs, made from arrays."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from kdcli.figures.view import Curves, Difference, Examples, Reliability, Subject, View

Array = np.ndarray[Any, Any]
EPOCHS = np.array([0, 5, 10])
TRAIN = np.array([[[1.0, 0.5, 0.2], [1.0, 0.4, 0.1], [1.0, 0.6, 0.4]]])  # of one draw, three seeds
HALF_RIGHT = np.tile([[0.3, 0.7], [0.6, 0.4]], (30, 1))  # probabilities of 60 examples
TRAIN_LOGITS = np.array([[2.0, 0.0, -1.0], [4.0, 0.0, -1.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]])
TRAIN_Y = np.array([0, 0, 1, 2])

UNDECIDED = "no difference shown"
Ends = tuple[float | None, float | None]


def difference(
    title: str, metric: str, by_draw: Sequence[float], ends: Ends, verdict: str | None, **changed: Any
) -> Difference:
    """The difference of a set of mlp:4, which has these values in each draw, from its control."""
    unit, preferred = ("percentage points", "higher") if metric == "accuracy" else ("nats", "lower")
    total = sum(by_draw)
    mean = None if math.isnan(total) else total / len(by_draw)
    made = Difference("mlp:4", title, metric, unit, preferred, mean, *ends, verdict, by_draw=by_draw)
    return replace(made, **changed)


NO_VARIATION = "no variation among the 2 draws"
DIFFERENCES = [  # of two draws
    difference("hard", "accuracy", (1.0, 2.0), (0.5, 2.5), "better"),
    difference("hard", "NLL", (0.1, 0.3), (0.1, 0.3), "worse"),
    difference("soft, T = 4", "accuracy", (0.5, -1.5), (-1.5, 0.5), UNDECIDED),
    difference("soft, T = 4", "NLL", (-0.4, -math.inf), (None, None), "better"),
    difference("hard", "accuracy", (0.1, 0.1), (None, None), None, group="tree", why=NO_VARIATION),
    difference("hard", "NLL", (math.nan, math.nan), (None, None), UNDECIDED, group="tree"),
]


def right_half(x: Array) -> Array:
    """Class 1 to the right of x₁ = 1."""
    p = 1 / (1 + np.exp(-8 * (x[:, 0] - 1)))
    return np.stack([1 - p, p], axis=1)


def exact(x: Array) -> Array:
    """Class 1 to the right of x₁ = 0."""
    p = 1 / (1 + np.exp(-4 * x[:, 0]))
    return np.stack([1 - p, p], axis=1)


def scores(low: float, high: float, **means: float) -> Callable[[str], tuple[float, float, float]]:
    """A metric's mean with its interval: in the middle of it unless it is given."""
    return lambda metric: (means.get(metric, (low + high) / 2), low, high)


def predicting(p: Array) -> Callable[[], Array]:
    """Logits of a single seed with these probabilities on the test split."""
    return lambda: np.log(p)[np.newaxis]


def students(title: str, model: str = "mlp:4", **changed: Any) -> Subject:
    """The students of one set: one draw, three seeds, and a prediction of class 1 and class 0 by turns."""
    temperature = float(title.split("T = ")[1].split(",")[0].split()[0]) if "T = " in title else 1.0
    subject = Subject(
        title=title,
        model=model,
        settings={"target": title.split(",")[0], "temperature": temperature},
        recorded={"accuracy": np.array([[0.9501, 0.9, 0.99]])},
        logits=lambda: np.log(np.stack([HALF_RIGHT] * 3)),
        predict=right_half,
        score=scores(0.9, 0.99),
        reliability=lambda: Reliability(
            left=np.array([0.5, 0.9]),
            width=0.1,
            confidence=np.array([0.6, 0.97]),
            accuracy=np.array([0.5, 1.0]),
            count=np.array([20, 100]),
            each=2,
        ),
        curves=lambda: Curves(EPOCHS, TRAIN, TRAIN * 1.5),
        size=lambda: 88.0,
    )
    return replace(subject, **changed)


def trees(title: str, model: str, leaves: int, accuracy: float, limited_by: str = "leaves") -> Subject:
    """The trees of one set: one draw, three seeds."""
    spread = np.array([[accuracy - 0.01, accuracy, accuracy + 0.01]])
    recorded = {"accuracy": spread, "leaves": np.full((1, 3), leaves)}
    return students(title, model, recorded=recorded, limited_by=limited_by, curves=lambda: None)


def plane_view() -> View:
    """A run of two features and two classes, of one draw, with networks and trees."""
    x = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32) * 2
    sets = [
        students("labels"),
        students("soft, T = 4"),
        trees("labels", "tree", 60, 0.8, "nothing"),
        trees("labels", "tree:max_leaf_nodes=4", 4, 0.9),
        trees("soft, T = 1", "tree:max_leaf_nodes=4", 4, 0.85),
        trees("soft, T = 1", "tree:max_depth=4", 16, 0.7, "else"),
        students("soft, T = 1", score=scores(0.7, 0.9, accuracy=0.81)),
    ]
    return View(
        run="demo",
        class_names=("0", "1"),
        feature_names=("x₁", "x₂"),
        splits={"test": Examples(x, (x[:, 0] > 0).astype(int))},
        posterior=exact,
        bayes={"accuracy": np.array([0.9772])},
        teacher=students("teacher", size=lambda: 17_672.0),
        students=sets,
        differences=lambda: DIFFERENCES,
        columns={"x₁": [0], "x₂": [1]},
    )


def several_draws(view: View) -> View:
    """The same run of two draws: the second has an accuracy 0.02 lower and losses twice as large."""

    def of_two(subject: Subject) -> Subject:
        accuracy = subject.recorded["accuracy"]
        recorded = {name: np.concatenate([values, values]) for name, values in subject.recorded.items()}
        recorded["accuracy"] = np.concatenate([accuracy, accuracy - 0.02])
        curves = subject.curves()
        if curves is None:
            return replace(subject, recorded=recorded)
        both = Curves(curves.epochs, *(np.concatenate([x, 2 * x]) for x in (curves.train, curves.val)))
        return replace(subject, recorded=recorded, curves=lambda: both)

    assert view.teacher is not None
    assert view.bayes is not None
    return replace(
        view,
        teacher=of_two(view.teacher),
        students=[of_two(subject) for subject in view.students],
        bayes={"accuracy": np.concatenate([view.bayes["accuracy"], view.bayes["accuracy"] - 0.02])},
        draws=2,
    )


def with_long_names(view: View, words: str, limits: str) -> View:
    """The same run with these words behind what names a set and a column, and these limits behind a model."""

    def longer(subject: Subject) -> Subject:
        names = {"title": f"{subject.title}, {words}", "model": f"{subject.model}{limits}"}
        return replace(subject, **names, variant=words)

    differences = [
        replace(d, group=f"{d.group}{limits}, {words}", title=f"{d.title}, {words}")
        for d in view.differences()
    ]
    return replace(
        view,
        teacher=view.teacher and longer(view.teacher),
        students=[longer(subject) for subject in view.students],
        differences=lambda: differences,
        columns={f"{name}, {words}": features for name, features in view.columns.items()},
    )


def image_view() -> View:
    """The same run of images; the first set disagrees with the teacher on image 7."""
    view, odd = plane_view(), HALF_RIGHT.copy()
    odd[7] = odd[7][::-1]
    test = Examples(np.arange(60 * 9).reshape(60, 3, 3), view.test.y)
    sets = [replace(view.students[0], logits=predicting(odd)), *view.students[1:]]
    return replace(view, feature_names=(), splits={"test": test}, students=sets)


def three_class_view() -> View:
    """A run of two features and three classes, with the teacher's logits on four training examples.

    The classes meet in the origin: "top" is above it, "left" and "right" are below.
    """
    directions = np.array([[0.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])

    def probabilities(x: Array) -> Array:
        odds = np.exp(x @ directions.T)
        return np.asarray(odds / odds.sum(1, keepdims=True))

    x = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    p = probabilities(x)
    subject = students("teacher", predict=probabilities, logits=predicting(p))
    return View(
        run="demo",
        class_names=("top", "left", "right"),
        feature_names=("width (cm)", "height (cm)"),
        splits={"test": Examples(x, p.argmax(1)), "train": Examples(x[:4], TRAIN_Y)},
        posterior=probabilities,
        bayes={"accuracy": np.array([0.8])},
        teacher=subject,
        students=[replace(subject, title="soft, T = 4", settings={"target": "soft", "temperature": 4.0})],
        teacher_logits=lambda split: {"train": TRAIN_LOGITS}[split],
    )


def laid_out(figure: Figure) -> Figure:
    """Lay out a figure as in a file, so that its texts have places."""
    figure.canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    return figure


def panel_texts(ax: Axes) -> list[Text]:
    """The texts in a panel and around it, without ticks beyond the ends of an axis."""
    across = [
        label
        for label in ax.get_xticklabels()
        if ax.bbox.x0 - 1 <= label.get_transform().transform(label.get_position())[0] <= ax.bbox.x1 + 1
    ]
    along = [
        label
        for label in ax.get_yticklabels()
        if ax.bbox.y0 - 1 <= label.get_transform().transform(label.get_position())[1] <= ax.bbox.y1 + 1
    ]
    return [*across, *along, ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]


def text_boxes(figure: Figure) -> list[tuple[Text, Bbox]]:
    """The texts of a figure that is laid out, with their boxes in pixels."""
    texts = [*figure.texts, *(text for made in figure.legends for text in made.get_texts())]
    texts += [text for ax in figure.axes for text in panel_texts(ax)]
    drawn = [text for text in texts if text.get_visible() and text.get_text().strip()]
    return [(text, text.get_window_extent()) for text in drawn]


def caption(figure: Figure) -> str:
    """A figure's caption, in one line."""
    return figure.texts[-1].get_text().replace("\n", " ")


def legend_labels(figure: Figure) -> list[str]:
    """The labels of a figure's legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def assert_legible(figure: Figure) -> list[tuple[Text, Bbox]]:
    """Assert that no text of a laid-out figure is cut or over another; return all with their boxes."""
    boxes = text_boxes(figure)
    for text, box in boxes:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} is cut"
    for (text, box), (other, other_box) in combinations(boxes, 2):
        apart = not box.padded(-1).overlaps(other_box.padded(-1))
        assert apart, f"{text.get_text()!r} is over {other.get_text()!r}"
    return boxes
