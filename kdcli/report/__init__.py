"""What a person or a program is told: neutral tables and sentences, for terminals, JSON and CSV."""

from typing import Any

from kdcli.report.results import distilled, teacher_trained
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

# Names of before, for the command line; each result says what it tells.
checked = compared = data_made = plotted = recipe_shown = Screen.show
run_deleted = run_shown = run_used = runs_listed = Screen.show


def as_csv(made: Any) -> str:
    """Return a comparison as CSV."""
    csv: str = made.csv()
    return csv


def to_be_deleted(screen: Screen, doomed: Any) -> str:
    """Tell what is lost with a run; returns the question that is to be answered."""
    screen.tell(*doomed.told())
    question: str = doomed.question
    return question
