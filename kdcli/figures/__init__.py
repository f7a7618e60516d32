"""Figures: one file each, arrays in, a matplotlib figure out, no files touched.

The command line reads FIGURES for its help, so numpy and matplotlib are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from kdcli.errors import unknown
from kdcli.figures import (
    accuracy_by_agreement,
    accuracy_by_leaves,
    confusion_matrices,
    dark_knowledge,
    decision_boundaries,
    differences,
    disagreements,
    learning_curves,
    metrics_by_temperature,
    reliability,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import View


FORMATS = ("png", "svg", "pdf")  # of files


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure.

    `obstacle` says why it cannot be drawn of a run, or is empty; `note` says what of the run it leaves
    out, and why, or is empty. One that `compares` draws differences from the control, which take measuring.
    """

    summary: str
    draw: Callable[[View], Figure]
    obstacle: Callable[[View], str]
    note: Callable[[View], str] = lambda view: ""
    compares: bool = False


FIGURES = MappingProxyType(
    {
        "learning-curves": FigureKind(
            "training and validation loss of the teacher and of every target",
            learning_curves.draw,
            learning_curves.obstacle,
            learning_curves.note,
        ),
        "decision-boundaries": FigureKind(
            "what the teacher and each target's first student predict over the plane",
            decision_boundaries.draw,
            decision_boundaries.obstacle,
            decision_boundaries.note,
        ),
        "accuracy-by-leaves": FigureKind(
            "test accuracy of trees against their number of leaves, a line for each target",
            accuracy_by_leaves.draw,
            accuracy_by_leaves.obstacle,
            accuracy_by_leaves.note,
        ),
        "metrics-by-temperature": FigureKind(
            "accuracy and likelihood of soft targets against their temperature, beside the control",
            metrics_by_temperature.draw,
            metrics_by_temperature.obstacle,
        ),
        "differences": FigureKind(
            "differences of student sets from their control, with intervals and verdicts",
            differences.draw,
            differences.obstacle,
            compares=True,
        ),
        "reliability": FigureKind(
            "how often the teacher and each target's students are right, by how sure they are",
            reliability.draw,
            reliability.obstacle,
            reliability.note,
        ),
        "accuracy-by-agreement": FigureKind(
            "test accuracy of students against their agreement with the teacher",
            accuracy_by_agreement.draw,
            accuracy_by_agreement.obstacle,
            accuracy_by_agreement.note,
        ),
        "confusion-matrices": FigureKind(
            "which class is taken for which, by the teacher and each target's first student",
            confusion_matrices.draw,
            confusion_matrices.obstacle,
            confusion_matrices.note,
        ),
        "dark-knowledge": FigureKind(
            "how probable the teacher finds the other classes, at two temperatures",
            dark_knowledge.draw,
            dark_knowledge.obstacle,
        ),
        "disagreements": FigureKind(
            "images on which teacher and students differ, with their probabilities",
            disagreements.draw,
            disagreements.obstacle,
        ),
    }
)


def find_figure(name: str) -> FigureKind:
    """Look up a figure by name; raises `UsageError` with the nearest name."""
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name]
