"""How much each column matters to the teacher and to students: permutation importance, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import rows
from kdcli.figures.captions import caption_of_shown
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import BLUE, GREY, ORANGE
from kdcli.words import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Subject, View

BESIDE = 0.22  # of a row, between the points of two models
EXAMPLES, REPEATS, SHOWN = 2000, 3, 15
LOOKS = ((GREY, "o", True), (ORANGE, "s", False), (BLUE, "^", True))  # colour, marker, whether it is filled
CAPTION = (
    "Points: by how much test accuracy falls when the values of a column are shuffled among the examples, "
    "together with all its features (mean of {} shufflings, {:,} examples). A column near 0 is not needed, "
    "or another has the same information. {}"
)


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    if len(view.columns) < 2:
        return "it needs data with columns that have names"
    return "" if view.subjects else "nothing is trained yet"


def importances(view: View, subject: Subject) -> dict[str, float]:
    """Return by how much a model's accuracy falls when each column is shuffled, as a share."""
    import numpy as np

    x, y = view.test.x[:EXAMPLES], view.test.y[:EXAMPLES]
    random = np.random.default_rng(0)
    orders = [random.permutation(len(y)) for _ in range(REPEATS)]

    def accuracy(examples: Array) -> float:
        return float((subject.predict(examples).argmax(1) == y).mean())

    def shuffled(features: Sequence[int], order: Array) -> Array:
        changed = x.copy()
        changed[:, features] = x[order][:, features]
        return changed

    whole = accuracy(x)
    return {
        name: whole - float(np.mean([accuracy(shuffled(features, order)) for order in orders]))
        for name, features in view.columns.items()
    }


def finding(names: Sequence[str], measured: Mapping[str, Mapping[str, float]]) -> str:
    """Say which column matters most to each model: `names` of models, `measured` by model and column."""
    most = {name: max(measured[name], key=lambda column: measured[name][column]) for name in names}
    if len(set(most.values())) == 1:
        return f"'{most[names[0]]}' matters most to {'all models shown' if len(names) > 1 else names[0]}"
    by_column: dict[str, list[str]] = {}
    for name, column in most.items():
        by_column.setdefault(column, []).append(name)
    return "; ".join(
        f"{listed(models)} {'relies' if len(models) == 1 else 'rely'} most on '{column}'"
        for column, models in by_column.items()
    )


def draw(view: View) -> Figure:
    """Draw a row for each of the columns that matter most to the first model, with a point for each model."""
    subjects = view.representatives
    names = [subject.title if subject is view.teacher else subject.name for subject in subjects]
    measured = {name: importances(view, subject) for name, subject in zip(names, subjects, strict=True)}
    columns = sorted(view.columns, key=lambda column: -measured[names[0]][column])[:SHOWN]
    examples = min(EXAMPLES, len(view.test.y))
    caption = CAPTION.format(REPEATS, examples, caption_of_shown(view))
    if len(view.columns) > SHOWN:
        caption += f" The {SHOWN} of {len(view.columns)} columns that matter most to the first model."
    title = f"{finding(names, measured)}, run {view.run}"
    figure, (ax,) = rows(1, columns, title=title, caption=caption, edge=0.1)
    ax.axvline(0, color="black", linewidth=1)
    for k, (name, look) in enumerate(zip(names, LOOKS, strict=False)):
        above = BESIDE * ((len(names) - 1) / 2 - k)  # so that equal falls are all seen
        _points(ax, [100 * measured[name][column] for column in columns], above, name, *look)
    ax.set_xlabel("fall of test accuracy (percentage points)")
    ax.set_ylabel("column")
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def _points(
    ax: Axes, falls: Sequence[float], above: float, name: str, color: str, marker: str, filled: bool
) -> None:
    look: dict[str, Any] = {"color": color, "marker": marker, "markerfacecolor": color if filled else "white"}
    ax.plot(falls, ax.get_yticks() + above, linestyle="none", label=name, **look)


SEE = (
    "The further right a point is, the more a model relies on that column. Where student and teacher "
    "have points far apart, the student reaches its predictions in another way than its teacher."
)

FIGURE = FigureKind(
    "how much each column matters to the teacher and to students", SEE, draw, obstacle, asks=True
)
