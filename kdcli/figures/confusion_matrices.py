"""Confusion matrices: which classes the teacher and a student of each set confuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.errors import Text
from kdcli.figures.canvas import beside, square_panels
from kdcli.figures.captions import (
    MOST_PANELS,
    caption_of_room,
    caption_of_shown,
    fitting_subjects,
    note_of_room,
)
from kdcli.figures.kind import FigureKind
from kdcli.figures.looks import SHARES
from kdcli.figures.ticks import class_ticks, number_size
from kdcli.words import counted, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Subject, View

ROOM = MOST_PANELS - 1  # besides the teacher
MOST_CLASSES = 20
DARK = 0.4  # of a class, from which on numbers are white
CAPTION = "Numbers: test examples; empty cells: none. Colour: share of the true class (square-root scale). "


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    if view.n_classes > MOST_CLASSES:
        return f"it has no room for more than {MOST_CLASSES} classes"
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> Text:
    """Return a note on the students that are left out; empty if there are none."""
    return note_of_room(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw counts of true against predicted class for the teacher and each set, coloured by row share."""
    subjects = fitting_subjects(view, ROOM)
    caption = CAPTION + caption_of_shown(view) + caption_of_room(view.students, ROOM)
    counts = [_counts(view, subject) for subject in subjects]
    titles = [
        f"{subject.name}\n{counted(_errors(of_subject), 'error')}"
        for subject, of_subject in zip(subjects, counts, strict=True)
    ]
    figure, axes = square_panels(titles, title=f"{finding(view)}, run {view.run}", caption=caption)
    ticks = class_ticks(view.class_names)
    for ax, of_subject in zip(axes, counts, strict=True):
        _panel(ax, of_subject)
        ax.set_xticks(list(ticks), ticks.values())
        ax.set_yticks(list(ticks), ticks.values())
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
    image = axes[0].get_images()[0]
    figure.colorbar(image, cax=beside(figure), label="share of the true class")
    return figure


def finding(view: View) -> str:
    """Say which two classes are confused most often, in the errors of all models that are shown."""
    import numpy as np

    subjects = fitting_subjects(view, ROOM)
    counts = np.sum([_counts(view, subject) for subject in subjects], axis=0)
    errors = _errors(counts)
    if not errors:
        return "Confusion matrices: no test example is misclassified"
    names = view.class_names
    if view.n_classes == 2:
        often, rare = ((0, 1), (1, 0)) if counts[0, 1] > counts[1, 0] else ((1, 0), (0, 1))
        more, less = (
            f"class {names[a]} for {names[b]} ({counted(counts[a, b], 'time')})" for a, b in (often, rare)
        )
        order = "as often as" if counts[often] == counts[rare] else "more often than"
        who = "The models take" if len(subjects) > 1 else f"{subjects[0].name} takes"
        return f"{who} {more} {order} {less}"
    both = np.triu(counts + counts.T, 1)
    pairs = [f"{names[a]} and {names[b]}" for a, b in np.argwhere(both == both.max())]
    share = f"{both.max():,} of all {counted(errors, 'error')}" + (" each" if len(pairs) > 1 else "")
    if len(pairs) > 2:
        return f"No two classes are confused most often: {len(pairs)} pairs have {share}"
    return f"Classes confused most often: {listed(pairs, 'as well as')} ({share})"


def _counts(view: View, subject: Subject) -> Array:
    return count_pairs(view.test.y, subject.probabilities().argmax(1), view.n_classes)


def _errors(counts: Array) -> int:
    return int(counts.sum() - counts.trace())


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
    ax.imshow(share, cmap=SHARES, norm=PowerNorm(0.5, 0, 1))
    size = number_size(len(counts), len(str(counts.max())))
    for row, column in np.argwhere(counts):
        color = "white" if share[row, column] > DARK else "black"
        count = str(counts[row, column])
        ax.text(column, row, count, ha="center", va="center", fontsize=size, color=color)


SEE = (
    "Correct predictions are on the diagonal. A strongly coloured cell off the diagonal is a pair of "
    "classes that a model confuses. Check whether a student makes its teacher's mistakes or mistakes of "
    "its own."
)

FIGURE = FigureKind("which classes the teacher and a student of each set confuse", SEE, draw, obstacle, note)
