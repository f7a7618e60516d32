"""Results as a person or a program wants them: rich tables and lines, JSON, or CSV."""

from kdcli.show.comparison import as_csv, compared
from kdcli.show.help import HelpCommand, HelpGroup, show_page
from kdcli.show.holdings import checked, run_deleted, run_shown, run_used, runs_listed, to_be_deleted
from kdcli.show.results import data_made, distilled, plotted, recipe_shown, teacher_trained
from kdcli.show.screen import Screen, error
from kdcli.show.terminal import OutputError, asks, flush, outlets

__all__ = [
    "HelpCommand",
    "HelpGroup",
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
    "show_page",
    "teacher_trained",
    "to_be_deleted",
]
