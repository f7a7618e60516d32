"""Results as a person or a program wants them: rich tables and lines, JSON, or CSV."""

from kdcli.report.comparison import as_csv, compared
from kdcli.report.holdings import checked, run_deleted, run_shown, run_used, runs_listed, to_be_deleted
from kdcli.report.results import data_made, distilled, plotted, recipe_shown, teacher_trained
from kdcli.report.screen import Screen, error
from kdcli.report.terminal import OutputError, asks, flush, outlets

__all__ = [
    "OutputError",
    "Screen",
    "as_csv",
    "asks",
    "checked",
    "compared",
    "data_made",
    "distilled",
    "error",
    "flush",
    "outlets",
    "plotted",
    "recipe_shown",
    "run_deleted",
    "run_shown",
    "run_used",
    "runs_listed",
    "teacher_trained",
    "to_be_deleted",
]
