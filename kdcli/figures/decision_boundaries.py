"""Decision boundaries: predicted class and probability over the plane, for two features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdcli.errors import Text
from kdcli.figures.canvas import beside, panels
from kdcli.figures.captions import (
    MOST_PANELS,
    caption_of_room,
    caption_of_shown,
    fitting_subjects,
    note_of_room,
    percent,
)
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import PROBABILITY, class_look
from kdcli.words import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Examples, Subject, View

GRID = 240  # points of the plane along each axis
SHOWN = 250  # test points drawn
ROOM = MOST_PANELS - 2  # besides the Bayes optimum and the teacher
FAINTEST = 0.12  # strength of a class's colour where all classes are equally probable
# A line has a casing of the other colour, so that it is seen on every background.
MODEL_LINE = {"color": "white", "casing": "black", "style": "-"}
BAYES_LINE = {"color": "black", "casing": "white", "style": "--"}
LINE, CASING = 1.4, 3.0  # widths in points


@dataclass(frozen=True)
class Plane:
    """The part of the plane that is drawn: coordinates of a grid along both axes, each (GRID,)."""

    horizontal: Array
    vertical: Array

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top."""
        return (self.horizontal[0], self.horizontal[-1], self.vertical[0], self.vertical[-1])

    def evaluate(self, predict: Callable[[Array], Array]) -> Array:
        """Return class probabilities on the grid, (GRID, GRID, n_classes)."""
        import numpy as np

        points = np.stack(np.meshgrid(self.horizontal, self.vertical), axis=-1)
        return predict(points.reshape(-1, 2).astype(np.float32)).reshape(GRID, GRID, -1)


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    if view.test.x.shape[1:] != (2,):
        return "it needs data of two features"
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> Text:
    """Return a note on the students that are left out; empty if there are none."""
    return note_of_room(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw the Bayes optimum, the teacher and one student of each set over the same part of the plane."""
    plane = _plane(view.test.x)
    bayes = None if view.posterior is None else plane.evaluate(view.posterior)
    models = [
        (_title(subject.name, _accuracy(subject)), subject.predict)
        for subject in fitting_subjects(view, ROOM)
    ]
    if view.posterior is not None:
        accuracy = float(view.bayes["accuracy"][0]) if view.bayes else None
        models.insert(0, (_title("Bayes optimum", accuracy), view.posterior))
    points = min(SHOWN, len(view.test.y))
    figure, axes = panels(
        [title for title, _ in models],
        title=f"{finding(view)}, run {view.run}",
        caption=f"{caption_of_shown(view)} Points: {points} test examples, by true class."
        + caption_of_room(view.students, ROOM),
        right=1.1,
    )
    for k, (ax, (_, predict)) in enumerate(zip(axes, models, strict=True)):
        p = bayes if bayes is not None and k == 0 else plane.evaluate(predict)
        _panel(ax, view, plane, p, bayes)
    _legend(figure, view)
    _color_bar(figure, view)
    return figure


def finding(view: View) -> str:
    """Say whose classes differ least from the Bayes optimum's, or else the teacher's, and on which share."""
    subjects = fitting_subjects(view, ROOM)
    if view.posterior is not None:
        optimal, whose = view.posterior(view.test.x).argmax(1), "the Bayes boundary"
    elif view.teacher and view.students:
        optimal, whose = view.teacher.probabilities().argmax(1), "the teacher's boundary"
        subjects = subjects[1:]
    else:
        best = max(subjects, key=_accuracy)
        return f"{best.name} predicts the class of {percent(_accuracy(best))} of test examples"
    shares = {s.name: float((s.probabilities().argmax(1) != optimal).mean()) for s in subjects}
    least = min(shares.values())
    nearest = [name for name, share in shares.items() if share == least]
    names = f"{len(nearest)} models" if len(nearest) > 2 else listed(nearest)
    verb = "differs" if len(nearest) == 1 else "differ"
    differ = verb if len(nearest) == len(shares) else f"{verb} least"
    where = f"on {percent(least)} of test examples" if least else "on no test example"
    return f"{names} {differ} from {whose}: {where}"


def _accuracy(subject: Subject) -> float:
    """Return the test accuracy of the model that is shown of a set."""
    return float(subject.recorded["accuracy"][0, subject.shown])


def _plane(x: Array) -> Plane:
    """Return the part of the plane that holds all but the outermost examples `x (n, 2)`."""
    import numpy as np

    low, high = np.percentile(x, [0.1, 99.9], axis=0)
    margin = 0.05 * (high - low)
    return Plane(*(np.linspace(a, b, GRID) for a, b in zip(low - margin, high + margin, strict=True)))


def _title(name: str, accuracy: float | None) -> str:
    return name if accuracy is None else f"{name}\ntest accuracy {percent(accuracy)}"


def _panel(ax: Axes, view: View, plane: Plane, p: Array, bayes: Array | None) -> None:
    """Draw class probabilities `p (GRID, GRID, n_classes)` of one model, test examples and boundaries."""
    # A tree's edges are sharp, hence "nearest".
    common: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
    if view.n_classes == 2:
        ax.imshow(p[..., 1], vmin=0, vmax=1, cmap=PROBABILITY, extent=plane.extent, **common)
    else:
        ax.imshow(tints(p), extent=plane.extent, **common)
    _points(ax, view.test, view.n_classes)
    ax.set_xlim(plane.extent[:2])
    ax.set_ylim(plane.extent[2:])
    if bayes is None or p is not bayes:
        _boundaries(ax, plane, p, MODEL_LINE)
    if bayes is not None:
        _boundaries(ax, plane, bayes, BAYES_LINE)
    horizontal, vertical = view.feature_names or ("x₁", "x₂")
    ax.set_xlabel(horizontal)
    ax.set_ylabel(vertical)


def tints(p: Array) -> Array:
    """Colour probabilities `(..., n_classes)` as `(..., 3)`: the predicted class's hue, paler if unsure."""
    import numpy as np
    from matplotlib.colors import to_rgb

    n_classes = p.shape[-1]
    hues = np.array([to_rgb(class_look(k)["color"]) for k in range(n_classes)])
    sureness = (p.max(-1) * n_classes - 1) / (n_classes - 1)
    strength = FAINTEST + (1 - FAINTEST) * sureness.clip(0, 1)
    colors: Array = 1 - strength[..., np.newaxis] * (1 - hues[p.argmax(-1)])
    return colors


def _point_look(k: int, n_classes: int) -> tuple[str, str, str]:
    """Return marker, colour and colour of the edge of the test examples of a class."""
    look = class_look(k)
    if n_classes == 2:
        return look["marker"], ("white", "black")[k], ("black", "white")[k]
    return look["marker"], look["color"], "black"


def _points(ax: Axes, test: Examples, n_classes: int) -> None:
    for k in range(n_classes):
        marker, face, edge = _point_look(k, n_classes)
        x = test.x[:SHOWN][test.y[:SHOWN] == k]
        ax.scatter(x[:, 0], x[:, 1], s=14, marker=marker, c=face, edgecolors=edge, linewidths=0.6)


def _boundaries(ax: Axes, plane: Plane, p: Array, look: Mapping[str, str]) -> None:
    """Draw the lines where the most probable class of `p (GRID, GRID, n_classes)` changes.

    Each class is parted from those before it, where none after it is more probable: so that no line is drawn
    twice, which would fill the gaps of a dashed one.
    """
    import numpy as np
    from matplotlib.patheffects import Normal, Stroke

    casing = [Stroke(linewidth=CASING, foreground=look["casing"]), Normal()]
    line: dict[str, Any] = {"colors": look["color"], "linestyles": look["style"], "linewidths": LINE}
    predicted = p.argmax(-1)
    for k in range(1, p.shape[-1]):
        margin = np.ma.masked_array(p[..., k] - p[..., :k].max(-1), mask=predicted > k)
        if margin.count() and margin.min() < 0 < margin.max():
            drawn = ax.contour(plane.horizontal, plane.vertical, margin, levels=[0], **line)
            drawn.set_path_effects(casing)


def _legend(figure: Figure, view: View) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import Normal, Stroke

    handles = []
    for k, name in enumerate(view.class_names):
        marker, face, edge = _point_look(k, view.n_classes)
        look: dict[str, Any] = {"marker": marker, "markerfacecolor": face, "markeredgecolor": edge}
        handles.append(Line2D([], [], color="none", label=f"class {name}", **look))
    lines = {"model's decision boundary": MODEL_LINE}
    if view.posterior is not None:
        lines["Bayes decision boundary"] = BAYES_LINE
    for name, line in lines.items():
        casing = [Stroke(linewidth=CASING, foreground=line["casing"]), Normal()]
        look = {"color": line["color"], "linestyle": line["style"], "linewidth": LINE}
        handles.append(Line2D([], [], label=name, path_effects=casing, **look))
    legend(figure, handles, [str(handle.get_label()) for handle in handles])


def _color_bar(figure: Figure, view: View) -> None:
    """Draw the scale of probabilities; of more than two classes, a strip for each."""
    import numpy as np

    cax, n_classes = beside(figure), view.n_classes
    if n_classes == 2:
        image = figure.axes[0].get_images()[0]
        figure.colorbar(image, cax=cax, label=f"predicted probability of class {view.class_names[1]}")
        return
    top = np.linspace(1 / n_classes, 1, 100)[:, np.newaxis]
    strips = np.where(np.eye(n_classes, dtype=bool)[:, np.newaxis], top, 0)  # (n_classes, 100, n_classes)
    extent = (0, n_classes, 1 / n_classes, 1)
    cax.imshow(tints(strips).swapaxes(0, 1), origin="lower", aspect="auto", extent=extent)
    cax.set_xticks([])
    cax.yaxis.tick_right()
    cax.yaxis.set_label_position("right")
    cax.set_ylabel("probability of the predicted class")


SEE = (
    "The solid line is where a model changes from one class to another, and the background shows how "
    "sure it is. A good student's line follows its teacher's, and the dashed Bayes boundary where that "
    "is known. Islands of one class within another are noise in the labels that a model has memorised."
)

FIGURE = FigureKind(
    "what the teacher and a student of each set predict over the plane",
    SEE,
    draw,
    obstacle,
    note,
    asks=True,
    shows=True,
)
