"""Confusion matrices: which class the teacher and each set's first student take for which."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.figures.canvas import PROBABILITY, beside, class_ticks, square_panels
from kdcli.figures.view import MOST_PANELS, count_shown, crowded_out, that_fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import View

ROOM = MOST_PANELS - 1  # besides the teacher
MOST_CLASSES = 20
CAPTION = "Numbers: test examples. Colour: their share of the true class.\nStudents: {} of each set."


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    if view.n_classes > MOST_CLASSES:
        return f"it has no room for more than {MOST_CLASSES} classes"
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> str:
    """Say which students are left out; empty if none is."""
    return crowded_out(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw counts of true against predicted class for the teacher and each set, coloured by row share."""
    import numpy as np
    from matplotlib.colors import PowerNorm

    subjects = replace(view, students=that_fit(view.students, ROOM)).subjects
    caption = CAPTION.format(view.drawn) + count_shown(view.students, ROOM)
    figure, axes = square_panels(
        len(subjects), title=f"Confusion matrices of run {view.run}", caption=caption
    )
    classes, ticks = range(view.n_classes), class_ticks(view.class_names)
    for ax, subject in zip(axes, subjects, strict=True):
        predicted = subject.tested().argmax(1)
        counts = np.zeros((view.n_classes, view.n_classes), dtype=int)
        np.add.at(counts, (view.y_test, predicted), 1)
        share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        image = ax.imshow(share, cmap=PROBABILITY, norm=PowerNorm(0.5, 0, 1))
        for row in classes:
            for column in classes:
                if counts[row, column]:
                    dark = share[row, column] < 0.2
                    ax.text(
                        column,
                        row,
                        str(counts[row, column]),
                        ha="center",
                        va="center",
                        fontsize=max(4.5, 8 - 0.25 * view.n_classes),
                        color="white" if dark else "black",
                    )
        ax.set_title(
            f"{subject.title} ({subject.model})\n{int((view.y_test != predicted).sum())} errors",
            fontsize="medium",
        )
        ax.set_xticks(list(ticks), ticks.values())
        ax.set_yticks(list(ticks), ticks.values())
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
    figure.colorbar(image, cax=beside(figure), label="share of the true class (square-root scale)")
    return figure
