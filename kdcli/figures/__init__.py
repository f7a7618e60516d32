"""Figures: one file each, arrays in, a matplotlib figure out, no files touched.

The command line reads FIGURES for its help, so numpy and matplotlib are imported inside the functions.
"""

from types import MappingProxyType

from kdcli.errors import UsageError, unknown
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
    study_lines,
    study_map,
)
from kdcli.figures.kind import FigureKind, StudyFigureKind

__all__ = [
    "FIGURES",
    "FORMATS",
    "STUDY_FIGURES",
    "FigureKind",
    "StudyFigureKind",
    "find_figure",
    "find_study_figure",
]

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


STUDY_FIGURES: MappingProxyType[str, StudyFigureKind] = MappingProxyType(
    {"study-lines": study_lines.FIGURE, "study-map": study_map.FIGURE}
)


def find_figure(name: str) -> FigureKind:
    """Look up a figure of a run by name; raises `UsageError` with the nearest name."""
    if name in STUDY_FIGURES:
        raise UsageError(f"{name} is a figure of a study", "name the study with --run STUDY")
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name]


def find_study_figure(name: str) -> StudyFigureKind:
    """Look up a figure of a study by name; raises `UsageError` with the existing names."""
    if name in FIGURES:
        raise UsageError(
            f"{name} is a figure of a run, not of a study",
            f"figures of a study: {', '.join(STUDY_FIGURES)}; --run STUDY/NAME draws those of one run",
        )
    if name not in STUDY_FIGURES:
        raise unknown("figure", name, STUDY_FIGURES)
    return STUDY_FIGURES[name]
