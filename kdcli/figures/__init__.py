"""Figures: one file each, arrays in, a matplotlib figure out, no files touched.

The command line reads FIGURES for its help, so numpy and matplotlib are imported inside the functions.
"""

from types import MappingProxyType

from kdcli.errors import unknown
from kdcli.figures import (
    accuracy_by_agreement,
    accuracy_by_leaves,
    column_importance,
    confusion_matrices,
    cost_accuracy,
    dark_knowledge,
    decision_boundaries,
    differences,
    disagreements,
    draws,
    learning_curves,
    metrics_by_temperature,
    reliability,
)
from kdcli.figures.kind import FigureKind

__all__ = ["FIGURES", "FORMATS", "FigureKind", "find_figure"]

FORMATS = ("png", "svg", "pdf")  # of files

FIGURES: MappingProxyType[str, FigureKind] = MappingProxyType(
    {
        "learning-curves": learning_curves.FIGURE,
        "decision-boundaries": decision_boundaries.FIGURE,
        "accuracy-by-leaves": accuracy_by_leaves.FIGURE,
        "metrics-by-temperature": metrics_by_temperature.FIGURE,
        "differences": differences.FIGURE,
        "draws": draws.FIGURE,
        "reliability": reliability.FIGURE,
        "accuracy-by-agreement": accuracy_by_agreement.FIGURE,
        "cost-accuracy": cost_accuracy.FIGURE,
        "column-importance": column_importance.FIGURE,
        "confusion-matrices": confusion_matrices.FIGURE,
        "dark-knowledge": dark_knowledge.FIGURE,
        "disagreements": disagreements.FIGURE,
    }
)


def find_figure(name: str) -> FigureKind:
    """Look up a figure by name; raises `UsageError` with the nearest name."""
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name]
