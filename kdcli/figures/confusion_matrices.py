"""Confusion matrices: which classes the teacher and a student of each set confuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.errors import Text
from kdcli.figures.canvas import PROBABILITY, beside, class_ticks, square_panels
from kdcli.figures.captions import MOST_PANELS, caption_of_room, fitting_students, note_of_room
from kdcli.figures.kind import FigureKind
from kdcli.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, View

ROOM = MOST_PANELS - 1  # besides the teacher
MOST_CLASSES = 20
CAPTION = (
    "Numbers: test examples; empty cells: none. Colour: share of the true class (square-root scale).\n"
    "Students: {} of each set."
)


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    if view.n_classes > MOST_CLASSES:
        return f"it has no room for more than {MOST_CLASSES} classes"
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> Text:
    """Say which students are left out; empty if none is."""
    return note_of_room(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw counts of true against predicted class for the teacher and each set, coloured by row share."""
    subjects = replace(view, students=fitting_students(view.students, ROOM)).subjects
    caption = CAPTION.format(view.shown_seed) + caption_of_room(view.students, ROOM)
    figure, axes = square_panels(
        len(subjects), title=f"Confusion matrices of run {view.run}", caption=caption
    )
    ticks = class_ticks(view.class_names)
    for ax, subject in zip(axes, subjects, strict=True):
        predicted = subject.probabilities().argmax(1)
        _panel(ax, count_pairs(view.test.y, predicted, view.n_classes))
        errors = int((view.test.y != predicted).sum())
        ax.set_title(f"{subject.name}\n{counted(errors, 'error')}", fontsize="medium")
        ax.set_xticks(list(ticks), ticks.values())
        ax.set_yticks(list(ticks), ticks.values())
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
    image = axes[0].get_images()[0]
    figure.colorbar(image, cax=beside(figure), label="share of the true class")
    return figure


def count_pairs(y: Array, predicted: Array, n_classes: int) -> Array:
    """Count examples by true class (rows) and predicted class, `(n_classes, n_classes)`."""
    import numpy as np

    counts = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(counts, (y, predicted), 1)
    return counts


def _panel(ax: Axes, counts: Array) -> None:
    import numpy as np
    from matplotlib.colors import PowerNorm

    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    ax.imshow(share, cmap=PROBABILITY, norm=PowerNorm(0.5, 0, 1))
    size = max(4.5, 8 - 0.25 * len(counts))
    for row, column in np.argwhere(counts):
        color = "white" if share[row, column] < 0.2 else "black"
        count = str(counts[row, column])
        ax.text(column, row, count, ha="center", va="center", fontsize=size, color=color)


FIGURE = FigureKind("which classes the teacher and a student of each set confuse", draw, obstacle, note)
