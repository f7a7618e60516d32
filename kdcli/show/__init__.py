"""Results as a person or a program wants them: rich tables and lines, JSON, or CSV."""

from kdcli.show.comparison import as_csv, compared
from kdcli.show.holdings import checked, run_deleted, run_shown, runs_listed, to_be_deleted
from kdcli.show.results import data_made, distilled, plotted, teacher_trained
from kdcli.show.screen import Screen, error

__all__ = [
    "Screen",
    "as_csv",
    "checked",
    "compared",
    "data_made",
    "distilled",
    "error",
    "plotted",
    "run_deleted",
    "run_shown",
    "runs_listed",
    "teacher_trained",
    "to_be_deleted",
]
