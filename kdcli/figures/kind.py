"""What a kind of figure is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdcli.errors import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.study_view import StudyView
    from kdcli.figures.view import View


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure.

    `see` says in one to three sentences what a reader is to look for in the figure, and how to read it.
    `obstacle` says why a run has no such figure, or is empty; `note` says what of the run the figure leaves
    out, and why, or is empty. `compares` marks a figure that draws `View.differences`, which take measuring,
    and `asks` one that asks models about other examples than those of the run. One that draws single
    examples `shows` them.
    """

    summary: str
    see: str
    draw: Callable[[View], Figure]
    obstacle: Callable[[View], str]
    note: Callable[[View], Text] = lambda view: ""
    compares: bool = False
    asks: bool = False
    shows: bool = False

    def seen(self, view: View) -> View:
        """Return what of a run the figure may draw."""
        return view.askable if self.asks else view


@dataclass(frozen=True)
class StudyFigureKind:
    """A kind of figure of a study.

    `see` says what a reader is to look for in it, and `obstacle` why a study has no such figure, or is empty.
    """

    summary: str
    see: str
    draw: Callable[[StudyView], Figure]
    obstacle: Callable[[StudyView], str]
