"""The chapter of figures in a report, of a run or of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdcli.errors import Text, joined
from kdcli.figures.kind import FigureKind, StudyFigureKind
from kdcli.report.page.blocks import Bullets, Chapter, Figure, Fold


@dataclass(frozen=True)
class Figures:
    """Figures as SVG files by name, the reasons why others are left out, and notes on these."""

    files: Mapping[str, bytes]
    kinds: Mapping[str, FigureKind] | Mapping[str, StudyFigureKind]
    left_out: Mapping[str, Text]
    notes: Mapping[str, Text]

    def chapters(self) -> list[Chapter]:
        """Return the chapter of figures; none if no figure is drawn."""
        if not self.files:
            return []
        figures = [
            Figure(name, file, self.kinds[name].see, self._note(name)) for name, file in self.files.items()
        ]
        reasons = [joined(f"{name}: ", reason, ".") for name, reason in self.left_out.items()]
        fold = [Fold("Figures that are left out", [Bullets(reasons)])] if reasons else []
        return [Chapter("Figures", [*figures, *fold])]

    def _note(self, name: str) -> Text:
        return joined("It ", self.notes[name], ".") if name in self.notes else ""
