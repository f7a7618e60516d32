"""Learning curves: training and validation loss against epochs, a panel for the teacher and each target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.figures.canvas import BLUE, ORANGE, legend, panels
from kdcli.figures.view import MOST_PANELS, count_shown, crowded_out, that_fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Curves, Subject, View

CAPTION = (
    "Lines: median over seeds; bands: 10th to 90th percentile. A loss is T² · KL(target ‖ prediction),\n"
    "with labels mixed in where there is a weight w. 0 is a perfect match: all panels share one floor.\n"
    "Against one-hot targets it is the cross-entropy; against noisy labels no model can reach 0."
)

ROOM = MOST_PANELS - 1  # besides the teacher


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    if not view.subjects:
        return "nothing is trained yet"
    return "" if any(subject.curves for subject in view.subjects) else "only networks have learning curves"


def note(view: View) -> str:
    """Say which students are left out; empty if none is."""
    networks = [subject for subject in view.students if subject.curves]
    notes = [crowded_out(networks, ROOM)]
    if count := len(view.students) - len(networks):
        notes.append(
            f"leaves out {count} set{'s' if count > 1 else ''} of trees, which are not trained by gradients"
        )
    return "; ".join(filter(None, notes))


def draw(view: View) -> Figure:
    """Draw a panel for the teacher and for each set of networks, all with the same loss axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    of_networks = [subject for subject in view.students if subject.curves]
    caption = CAPTION + count_shown(of_networks, ROOM)
    subjects = replace(view, students=that_fit(of_networks, ROOM)).subjects
    figure, axes = panels(len(subjects), title=f"Learning curves of run {view.run}", caption=caption)
    for ax, subject in zip(axes, subjects, strict=True):
        if subject.curves:
            _panel(ax, subject, subject.curves)
    low, high = axes[0].get_ylim()
    steps = (1,) if high > 100 * low else (1, 2, 5)
    for ax in axes:
        ax.yaxis.set_major_locator(LogLocator(subs=steps))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
    handles, labels = axes[0].get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def _panel(ax: Axes, subject: Subject, curves: Curves) -> None:
    seeds = len(curves.train)
    _curve(ax, curves.epochs, curves.train, label="training", color=BLUE, linestyle="-")
    _curve(ax, curves.epochs, curves.val, label="validation", color=ORANGE, linestyle="--")
    ax.set_yscale("log")
    ax.set_title(
        f"{subject.title}\n{subject.model}, {seeds} seed{'s' if seeds > 1 else ''}", fontsize="medium"
    )
    ax.set_xlabel("epoch")
    ax.set_ylabel(f"{subject.loss} (nats)", fontsize="small")
    ax.set_xlim(0, curves.epochs[-1])
    ax.minorticks_off()
    ax.grid(alpha=0.3)


def _curve(ax: Axes, epochs: Array, losses: Array, *, label: str, color: str, linestyle: str) -> None:
    """Draw the median of `losses (seeds, points)`, with a band where there are several seeds."""
    import numpy as np

    low, median, high = np.percentile(losses, [10, 50, 90], axis=0)
    ax.plot(epochs, median, label=label, color=color, linestyle=linestyle, linewidth=1.6)
    if len(losses) > 1:
        ax.fill_between(epochs, low, high, color=color, alpha=0.25, linewidth=0)
