"""Learning curves: loss and accuracy against epochs, a panel of each for the teacher and every set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.errors import Text, joined
from kdcli.figures.canvas import HEIGHT, panels, under
from kdcli.figures.captions import (
    MOST_PANELS,
    caption_of_room,
    counted_sets,
    fitting_students,
    note_of_room,
    replicates,
)
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import BLUE, ORANGE
from kdcli.figures.ticks import percent_ticks
from kdcli.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Curves, Subject, View

CAPTION = (
    "Lines: median over {}; bands: 10th to 90th percentile. The loss is T² · KL(target ‖ prediction), "
    "mixed with the cross-entropy of the labels where there is a weight w. It is 0 at a perfect match; with "
    "one-hot targets it is the cross-entropy, which noisy labels keep above 0. Validation loss ends clearly "
    "above its minimum where its last tenth is more than 10 % above the lowest stretch of this length."
)
OLDER = "Models without accuracies were trained before kd recorded them."
TRAINING: dict[str, Any] = {"label": "training", "color": BLUE, "linestyle": "-"}
VALIDATION: dict[str, Any] = {"label": "validation", "color": ORANGE, "linestyle": "--"}
BOTH, SHARE, GAP = 3.3, 0.4, 0.12  # inches of both panels, the share of accuracies, and the gap in inches
RISEN = 1.1  # how many times its lowest loss a line has to end at
ROOM = MOST_PANELS - 1  # besides the teacher


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    if not view.subjects:
        return "nothing is trained yet"
    if any(subject.curves() for subject in view.subjects):
        return ""
    return "no model here is trained by gradients, and so none has learning curves"


def note(view: View) -> Text:
    """Return a note on the students that are left out; empty if there are none."""
    drawable = _with_curves(view)
    room = note_of_room(drawable, ROOM)
    count = len(view.students) - len(drawable)
    others = f"leaves out {counted_sets(count)} not trained by gradients" if count else ""
    return joined(room, "; " if room and others else "", others)


def _with_curves(view: View) -> list[Subject]:
    return [subject for subject in view.students if subject.curves()]


def draw(view: View) -> Figure:
    """Draw the losses of each model that is trained by gradients, and below them its accuracies.

    All losses have the same axis, and all accuracies another.
    """
    shown = [(subject, curves) for subject in _shown(view) if (curves := subject.curves())]
    measured = [curves.val_accuracy is not None for _, curves in shown]
    caption = CAPTION.format(replicates(view)) + caption_of_room(_with_curves(view), ROOM)
    figure, axes = panels(
        [_title(subject, curves) for subject, curves in shown],
        title=f"{finding(view)}, run {view.run}",
        caption=caption + ("" if all(measured) else f"\n{OLDER}" if any(measured) else ""),
        height=BOTH if any(measured) else HEIGHT,
    )
    accuracies: list[Axes] = []
    for ax, (_, curves) in zip(axes, shown, strict=True):
        _losses(ax, curves)
        if any(measured):
            accuracies.append(under(figure, ax, SHARE, GAP))
            _accuracies(accuracies[-1], curves, accuracies[0])
    _label_losses(axes)
    handles, labels = axes[0].get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def finding(view: View) -> str:
    """Say in how many panels the validation loss has risen by the end."""
    curves = [curves for subject in _shown(view) if (curves := subject.curves())]
    risen = sum(has_risen(of_subject.val) for of_subject in curves)
    if not risen:
        return "No sign of overfitting: no validation loss ends clearly above its minimum"
    where = f" in {risen} of {len(curves)} panels" if len(curves) > 1 else ""
    return f"Sign of overfitting{where}: validation loss ends clearly above its minimum"


def has_risen(losses: Array) -> bool:
    """Whether the median of `losses (draws, seeds, points)` ends clearly above its lowest stretch.

    Stretches of a tenth of the points are compared, since single points vary.
    """
    import numpy as np

    median = np.median(losses.reshape(-1, losses.shape[-1]), axis=0)
    stretches = np.lib.stride_tricks.sliding_window_view(median, max(1, len(median) // 10)).mean(-1)
    return bool(stretches[-1] > RISEN * stretches.min())


def _shown(view: View) -> list[Subject]:
    teacher = [view.teacher] if view.teacher and view.teacher.curves() else []
    return [*teacher, *fitting_students(_with_curves(view), ROOM)]


def _title(subject: Subject, curves: Curves) -> str:
    draws, seeds, _ = curves.train.shape
    count = f"{counted(draws, 'draw')} × " if draws > 1 else ""
    return f"{subject.title}\n{subject.model}, {count}{counted(seeds, 'seed')}"


def _losses(ax: Axes, curves: Curves) -> None:
    _curve(ax, curves.epochs, curves.train, TRAINING)
    _curve(ax, curves.epochs, curves.val, VALIDATION)
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss (nats)")
    ax.set_xlim(0, curves.epochs[-1])
    ax.minorticks_off()
    ax.grid(alpha=0.3)


def _accuracies(ax: Axes, curves: Curves, first: Axes) -> None:
    """Draw accuracies on the scale of the `first` panel of accuracies, if they are known."""
    if ax is not first:
        ax.sharey(first)
    if curves.train_accuracy is not None and curves.val_accuracy is not None:
        _curve(ax, curves.epochs, curves.train_accuracy, TRAINING)
        _curve(ax, curves.epochs, curves.val_accuracy, VALIDATION)
    percent_ticks(ax.yaxis)
    ax.set_xlabel("epoch")
    ax.set_ylabel("accuracy")
    ax.grid(alpha=0.3)


def _curve(ax: Axes, epochs: Array, values: Array, look: dict[str, Any]) -> None:
    """Draw the median of `values (draws, seeds, points)`, with a band where there are several models."""
    import numpy as np

    values = values.reshape(-1, values.shape[-1])
    low, median, high = np.percentile(values, [10, 50, 90], axis=0)
    ax.plot(epochs, median, linewidth=1.6, **look)
    if len(values) > 1:
        ax.fill_between(epochs, low, high, color=look["color"], alpha=0.25, linewidth=0)


def _label_losses(axes: Sequence[Axes]) -> None:
    """Write plain numbers on the shared loss axis; between powers of ten only where it spans few."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    low, high = axes[0].get_ylim()
    steps = (1,) if high > 100 * low else (1, 2, 5)
    for ax in axes:
        ax.yaxis.set_major_locator(LogLocator(subs=steps))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))


SEE = (
    "Training and validation curves should improve together and level off. A validation loss that rises "
    "again while the training loss still falls is overfitting, even where the accuracy hardly suffers. Each "
    "loss is measured against the target of its own panel, so compare the shapes of losses between panels, "
    "and the heights of accuracies."
)

FIGURE = FigureKind(
    "training and validation loss and accuracy of the teacher and of each set", SEE, draw, obstacle, note
)
