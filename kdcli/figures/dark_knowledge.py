"""Dark knowledge: how probable the teacher finds the other classes, for examples of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import square_panels
from kdcli.figures.captions import percent
from kdcli.figures.kind import FigureKind
from kdcli.figures.looks import SHARES
from kdcli.figures.ticks import class_ticks, number_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, View

ROOM: dict[str, Any] = {"between": 1.9, "right": 1.5}  # for a colour bar beside each panel
FLOOR = 1e-6  # smaller probabilities are drawn like this one
CAPTION = (
    "Mean over the training examples of each class. Colour: the other classes, with a log scale of its own "
    "for each panel; numbers on the diagonal: the true class, in percent. Soft targets teach both. T = 1 is "
    "what the teacher predicts; a higher T shows more clearly which classes it finds similar.{}"
)


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    if view.n_classes < 3:
        return "it needs more than two classes"
    return "" if view.teacher_logits else "the teacher is not trained yet"


def draw(view: View) -> Figure:
    """Draw the mean softened probability of each class for each true class, at two temperatures."""
    caption = CAPTION.format(f"\nShown is draw 0 of {view.draws}." if view.draws > 1 else "")
    temperatures = (1.0, _higher_temperature(view))
    titles = [f"T = {temperature:g}" for temperature in temperatures]
    figure, axes = square_panels(titles, title=f"{finding(view)}, run {view.run}", caption=caption, **ROOM)
    ticks = class_ticks(view.class_names)
    for ax, temperature in zip(axes, temperatures, strict=True):
        _panel(ax, _means(view, temperature))
        ax.set_xticks(list(ticks), ticks.values())
        ax.set_yticks(list(ticks), ticks.values())
        ax.set_xlabel("class")
        ax.set_ylabel("true class")
    return figure


def finding(view: View) -> str:
    """Say which other class the teacher finds most probable for any true class, at the higher temperature."""
    import numpy as np

    temperature = _higher_temperature(view)
    p = _means(view, temperature)
    others = np.where(np.eye(view.n_classes, dtype=bool), -1, p)
    true, other = map(int, np.unravel_index(others.argmax(), p.shape))
    names = view.class_names
    probability = f"{percent(p[true, other])} on average at T = {temperature:g}"
    return f"Most probable other class: {names[other]} for examples of {names[true]}, {probability}"


def _higher_temperature(view: View) -> float:
    """Return the highest temperature of the soft sets; 4 where none is above 1."""
    softest = max((s.temperature for s in view.students if s.target == "soft"), default=1.0)
    return softest if softest > 1 else 4.0


def _means(view: View, temperature: float) -> Array:
    assert view.teacher_logits is not None  # noqa: S101 - see obstacle
    logits, y = view.teacher_logits("train"), view.splits["train"].y
    return mean_probabilities(logits, y, view.n_classes, temperature)


def _panel(ax: Axes, p: Array) -> None:
    """Draw probabilities `p (n_classes, n_classes)` with a colour bar at the right."""
    import numpy as np
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, NullFormatter

    n_classes = len(p)
    others = np.ma.masked_array(p.clip(FLOOR), mask=np.eye(n_classes, dtype=bool))
    low, high = float(others.min()), float(others.max())
    image = ax.imshow(others, cmap=SHARES, norm=LogNorm(low, max(high, 1.01 * low)))
    ax.set_facecolor("0.9")  # of the diagonal, which has no colour of the scale
    size = number_size(n_classes, 4)
    for k in range(n_classes):
        ax.text(k, k, f"{100 * p[k, k]:.3g}", ha="center", va="center", fontsize=size)
    percent = FuncFormatter(lambda share, _: f"{100 * share:.3g} %")
    minor = percent if high < 10 * low else NullFormatter()  # within a decade few ticks are major
    place = ax.inset_axes((1.04, 0, 0.05, 1))
    bar = ax.figure.colorbar(image, cax=place, label="mean probability", format=percent)
    bar.ax.yaxis.set_minor_formatter(minor)


def mean_probabilities(logits: Array, y: Array, n_classes: int, temperature: float) -> Array:
    """Mean of softmax(logits / T) over the examples of each class, `(n_classes, n_classes)`."""
    import numpy as np

    from kdcli.figures.view import softmax

    p = softmax(logits, temperature)
    return np.stack([p[y == k].mean(0) for k in range(n_classes)])


SEE = (
    "Each row shows how the teacher divides its probability among the classes for examples of one "
    "class. Strongly coloured cells are classes that it finds similar. A high temperature raises these "
    "small probabilities, so that a student can learn the similarities."
)

FIGURE = FigureKind(
    "how probable the teacher finds the other classes, at two temperatures", SEE, draw, obstacle
)
