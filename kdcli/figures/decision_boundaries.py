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
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Examples, View

GRID = 240  # points of the plane along each axis
SHOWN = 250  # test points drawn
ROOM = MOST_PANELS - 2  # besides the Bayes optimum and the teacher
FAINTEST = 0.12  # strength of a class's colour where all classes are equally probable
BAYES_LINE = {"colors": "black", "linewidths": 1.4, "linestyles": "--"}


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
    """Say why the figure cannot be drawn; empty if it can."""
    if view.test.x.shape[1:] != (2,):
        return "it needs data of two features"
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> Text:
    """Say which students are left out; empty if none is."""
    return note_of_room(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw the Bayes optimum, the teacher and one student of each set over the same part of the plane."""
    plane = _plane(view.test.x)
    bayes = None if view.posterior is None else plane.evaluate(view.posterior)
    models = [
        (_title(subject.name, float(subject.recorded["accuracy"][0, subject.shown])), subject.predict)
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
    for ax, (_, predict) in zip(axes, models, strict=True):
        _panel(ax, view, plane, plane.evaluate(predict), bayes)
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
        return "Decision boundaries"
    shares = {s.name: float((s.probabilities().argmax(1) != optimal).mean()) for s in subjects}
    least = min(shares.values())
    nearest = [name for name, share in shares.items() if share == least]
    names = f"{len(nearest)} models" if len(nearest) > 2 else listed(nearest)
    verb = "differs" if len(nearest) == 1 else "differ"
    differ = verb if len(nearest) == len(shares) else f"{verb} least"
    where = f"on {percent(least)} of test examples" if least else "on no test example"
    return f"{names} {differ} from {whose}: {where}"


def _plane(x: Array) -> Plane:
    """Return the part of the plane that holds all but the outermost examples `x (n, 2)`."""
    import numpy as np

    low, high = np.percentile(x, [0.1, 99.9], axis=0)
    margin = 0.05 * (high - low)
    return Plane(*(np.linspace(a, b, GRID) for a, b in zip(low - margin, high + margin, strict=True)))


def _title(name: str, accuracy: float | None) -> str:
    return name if accuracy is None else f"{name}\ntest accuracy {accuracy:.2%}"


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
    _boundaries(ax, plane, p, **_model_line(view))
    if bayes is not None:
        _boundaries(ax, plane, bayes, **BAYES_LINE)
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


def _point_look(k: int, n_classes: int) -> tuple[str, str]:
    """Return marker and colour of the test examples of a class."""
    look = class_look(k)
    return look["marker"], ("white", "black")[k] if n_classes == 2 else look["color"]


def _points(ax: Axes, test: Examples, n_classes: int) -> None:
    edge: dict[str, Any] = {"edgecolors": "0.5", "linewidths": 0.4}
    if n_classes > 2:
        edge = {"edgecolors": "black", "linewidths": 0.5}
    for k in range(n_classes):
        marker, face = _point_look(k, n_classes)
        x = test.x[:SHOWN][test.y[:SHOWN] == k]
        ax.scatter(x[:, 0], x[:, 1], s=9 if n_classes == 2 else 14, marker=marker, c=face, alpha=0.8, **edge)


def _model_line(view: View) -> dict[str, Any]:
    """Return the look of a model's boundary, which two classes leave on dark and more on pale ground."""
    return {"colors": "white" if view.n_classes == 2 else "0.3", "linewidths": 1.2}


def _boundaries(ax: Axes, plane: Plane, p: Array, **look: Any) -> None:
    """Draw the lines where the most probable class of `p (GRID, GRID, n_classes)` changes.

    Each class is parted from those before it, where none after it is more probable: so that no line is drawn
    twice, which would fill the gaps of a dashed one.
    """
    import numpy as np

    predicted = p.argmax(-1)
    for k in range(1, p.shape[-1]):
        margin = np.ma.masked_array(p[..., k] - p[..., :k].max(-1), mask=predicted > k)
        if margin.count() and margin.min() < 0 < margin.max():
            ax.contour(plane.horizontal, plane.vertical, margin, levels=[0], **look)


def _legend(figure: Figure, view: View) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for k, name in enumerate(view.class_names):
        marker, face = _point_look(k, view.n_classes)
        edge = "0.5" if view.n_classes == 2 else "black"
        look: dict[str, Any] = {"marker": marker, "markerfacecolor": face, "markeredgecolor": edge}
        handles.append(Line2D([], [], color="none", label=f"class {name}", **look))
    line = _model_line(view)
    white = line["colors"] == "white"
    handles.append(
        Line2D(
            [],
            [],
            color="0.75" if white else line["colors"],
            linewidth=line["linewidths"],
            label="model's decision boundary" + (" (white)" if white else ""),
        )
    )
    if view.posterior is not None:
        handles.append(Line2D([], [], color="black", linestyle="--", label="Bayes decision boundary"))
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
    "The solid line is where a model changes from one class to the other, and the background shows how "
    "sure it is. A good student's line follows the teacher's, and the dashed Bayes boundary where it is "
    "known. Islands of one class within the other are noise in the labels that a model has memorised."
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
