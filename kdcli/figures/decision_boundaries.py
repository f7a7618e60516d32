"""Decision boundaries: predicted probability over the plane, for two features and two classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.figures.canvas import PROBABILITY, beside, legend, panels
from kdcli.figures.view import MOST_PANELS, count_shown, crowded_out, that_fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, View

GRID = 240  # points of the plane along each axis
SHOWN = 250  # test points drawn
ROOM = MOST_PANELS - 2  # besides the Bayes optimum and the teacher


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    if view.x_test.shape[1:] != (2,) or view.n_classes != 2:
        return "it needs two features and two classes"
    return "" if view.subjects else "nothing is trained yet"


def note(view: View) -> str:
    """Say which students are left out; empty if none is."""
    return crowded_out(view.students, ROOM)


def draw(view: View) -> Figure:
    """Draw the Bayes optimum, the teacher and each set's first student over the same part of the plane."""
    import numpy as np
    from matplotlib.lines import Line2D

    plots: list[tuple[str, float | None, Callable[[Array], Array]]] = []
    if view.posterior is not None:
        plots.append(("Bayes optimum", view.bayes_accuracy, view.posterior))
    subjects = replace(view, students=that_fit(view.students, ROOM)).subjects
    plots += [(f"{s.title} ({s.model})", s.accuracy_of_one, s.predict) for s in subjects]
    low, high = np.percentile(view.x_test, [0.1, 99.9], axis=0)
    margin = 0.05 * (high - low)
    horizontal, vertical = (np.linspace(a, b, GRID) for a, b in zip(low - margin, high + margin, strict=True))
    grid = np.stack(np.meshgrid(horizontal, vertical), axis=-1).reshape(-1, 2).astype(np.float32)
    bayes = None if view.posterior is None else view.posterior(grid)[:, 1].reshape(GRID, GRID)

    points = min(SHOWN, len(view.y_test))
    caption = f"Students: {view.drawn} of each set. Points: {points} of the test points."
    caption += count_shown(view.students, ROOM)
    figure, axes = panels(
        len(plots), title=f"Decision boundaries of run {view.run}", caption=caption, right=1.1
    )
    for ax, (title, accuracy, predict) in zip(axes, plots, strict=True):
        p = predict(grid)[:, 1].reshape(GRID, GRID)
        image = ax.imshow(
            p,
            origin="lower",
            extent=(horizontal[0], horizontal[-1], vertical[0], vertical[-1]),
            vmin=0,
            vmax=1,
            cmap=PROBABILITY,
            aspect="auto",
            interpolation="nearest",  # a tree's edges are sharp
        )
        for label, marker, face in ((0, "o", "white"), (1, "^", "black")):
            points = view.x_test[:SHOWN][view.y_test[:SHOWN] == label]
            ax.scatter(
                points[:, 0],
                points[:, 1],
                s=9,
                marker=marker,
                c=face,
                edgecolors="0.5",
                linewidths=0.4,
                alpha=0.8,
            )
        if p.min() < 0.5 < p.max():
            ax.contour(horizontal, vertical, p, levels=[0.5], colors="white", linewidths=1.2)
        if bayes is not None:
            ax.contour(
                horizontal, vertical, bayes, levels=[0.5], colors="black", linewidths=1.4, linestyles="--"
            )
        scored = "" if accuracy is None else f"\ntest accuracy {accuracy:.2%}"
        ax.set_title(title + scored, fontsize="medium")
        ax.set_xlabel("x₁")
        ax.set_ylabel("x₂")
    handles = [
        Line2D(
            [], [], marker="o", color="none", markerfacecolor="white", markeredgecolor="0.5", label="class 0"
        ),
        Line2D(
            [], [], marker="^", color="none", markerfacecolor="black", markeredgecolor="0.5", label="class 1"
        ),
        Line2D([], [], color="0.75", linewidth=1.2, label="the model's boundary (white)"),
    ]
    if bayes is not None:
        handles.append(Line2D([], [], color="black", linestyle="--", label="Bayes boundary"))
    legend(figure, handles, [str(handle.get_label()) for handle in handles])
    figure.colorbar(image, cax=beside(figure), label="predicted probability of class 1")
    return figure
