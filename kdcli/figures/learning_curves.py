"""Learning curves: training and validation loss against epochs, a panel for the teacher and each target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.figures.canvas import BLUE, ORANGE, legend, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Subject, View

CAPTION = (
    "Lines: median over seeds; bands: 10th to 90th percentile. A loss is T² · KL(target ‖ prediction),\n"
    "with labels mixed in where there is a weight w. 0 is a perfect match: all panels share one floor.\n"
    "Against one-hot targets it is the cross-entropy; against noisy labels no model can reach 0."
)


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    return "" if view.subjects else "nothing is trained yet"


def draw(view: View) -> Figure:
    """Draw a panel for the teacher and for each student set, all with the same loss axis."""
    figure, axes = panels(len(view.subjects), title=f"Learning curves of run {view.run}", caption=CAPTION)
    for ax, subject in zip(axes, view.subjects, strict=True):
        _panel(ax, subject)
    handles, labels = axes[0].get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def _panel(ax: Axes, subject: Subject) -> None:
    seeds = len(subject.train)
    _curve(ax, subject.epochs, subject.train, label="training", color=BLUE, linestyle="-")
    _curve(ax, subject.epochs, subject.val, label="validation", color=ORANGE, linestyle="--")
    ax.set_yscale("log")
    ax.set_title(
        f"{subject.title}\n{subject.model}, {seeds} seed{'s' if seeds > 1 else ''}", fontsize="medium"
    )
    ax.set_xlabel("epoch")
    ax.set_ylabel(f"{subject.loss} (nats)", fontsize="small")
    ax.set_xlim(0, subject.epochs[-1])
    ax.minorticks_off()
    ax.grid(alpha=0.3)


def _curve(ax: Axes, epochs: Array, losses: Array, *, label: str, color: str, linestyle: str) -> None:
    """Draw the median of `losses (seeds, points)`, with a band where there are several seeds."""
    import numpy as np

    low, median, high = np.percentile(losses, [10, 50, 90], axis=0)
    ax.plot(epochs, median, label=label, color=color, linestyle=linestyle, linewidth=1.6)
    if len(losses) > 1:
        ax.fill_between(epochs, low, high, color=color, alpha=0.25, linewidth=0)
