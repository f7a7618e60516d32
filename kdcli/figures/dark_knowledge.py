"""Dark knowledge: how probable the teacher finds the other classes, for examples of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import PROBABILITY, class_ticks, square_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, View

ROOM: dict[str, Any] = {"least": 2, "between": 1.9, "right": 1.5}  # for a colour bar beside each panel
FLOOR = 1e-6  # smaller probabilities are drawn like this one
CAPTION = (
    "Mean over the training examples of each class, on a log scale of each panel's own; on the diagonal, in\n"
    "percent, the class itself. This is what soft targets teach besides the class: T = 1 is what the\n"
    "teacher predicts, a higher temperature brings out which classes it finds alike."
)


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    if view.n_classes < 3:
        return "it needs more than two classes"
    return "" if view.knowledge else "the teacher is not trained yet"


def draw(view: View) -> Figure:
    """Draw the mean softened probability of each class for each true class, at two temperatures."""
    import numpy as np
    from matplotlib.colors import LogNorm

    assert view.knowledge is not None  # noqa: S101 - see obstacle
    logits, y = view.knowledge()
    softest = max((s.temperature for s in view.students if s.target == "soft"), default=1.0)
    temperatures = (1.0, softest if softest > 1 else 4.0)
    title = f"What the teacher of run {view.run} knows of the other classes"
    figure, axes = square_panels(len(temperatures), title=title, caption=CAPTION, **ROOM)
    classes, ticks = range(view.n_classes), class_ticks(view.class_names)
    size = 5.5 * min(1, 22 / view.n_classes)
    for ax, temperature in zip(axes, temperatures, strict=True):
        p = mean_probabilities(logits, y, view.n_classes, temperature).clip(FLOOR)
        others = np.ma.masked_array(p, mask=np.eye(view.n_classes, dtype=bool))
        low, high = float(others.min()), float(others.max())
        image = ax.imshow(others, cmap=PROBABILITY, norm=LogNorm(low, max(high, 1.01 * low)))
        for label in classes:
            share = f"{100 * p[label, label]:.3g}"
            ax.text(label, label, share, ha="center", va="center", fontsize=size)
        ax.set_title(f"T = {temperature:g}", fontsize="medium")
        ax.set_xticks(list(ticks), ticks.values())
        ax.set_yticks(list(ticks), ticks.values())
        ax.set_xlabel("class")
        ax.set_ylabel("true class")
        figure.colorbar(image, ax=ax, fraction=0.046, pad=0.04, label="mean probability")
    return figure


def mean_probabilities(logits: Array, y: Array, n_classes: int, temperature: float) -> Array:
    """Mean of softmax(logits / T) over the examples of each class, `(n_classes, n_classes)`."""
    import numpy as np

    scaled = logits / temperature
    p = np.exp(scaled - scaled.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return np.stack([p[y == label].mean(0) for label in range(n_classes)])
