"""`kd report`: a run's evidence as one HTML file to share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kdcli import crew
from kdcli.commands import text
from kdcli.errors import Text
from kdcli.evidence.conclusions import conclude
from kdcli.evidence.gather import gather
from kdcli.figures import FIGURES
from kdcli.report.figure_files import INLINE
from kdcli.report.page.figures import Figures
from kdcli.report.page.render import render
from kdcli.report.page.run import run_page
from kdcli.report.told import Told
from kdcli.report.words import wrote
from kdcli.runs.experiment import Experiment
from kdcli.stages.plot import draw_figures
from kdcli.words import counted, readable_size

NAME = "report.html"
PRIVATE = "it shows single rows or images, which a report leaves out for your own data"


@dataclass(frozen=True)
class Reported:
    """The report that was written, the figures in it, and the reasons why others were left out."""

    run: str
    path: Path
    size: int
    figures: list[str]
    left_out: dict[str, Text]

    def told(self) -> Iterator[Told]:
        """Return the path and the size of the file."""
        yield f"{self.run}: a report with {counted(len(self.figures), 'figure')}, {readable_size(self.size)}"
        yield wrote(self.path)

    def document(self) -> dict[str, Any]:
        """Return the path, the size, and the figures of the report."""
        left_out = {name: text(reason) for name, reason in self.left_out.items()}
        return {**asdict(self), "left_out": left_out}


def report(experiment: Experiment) -> Reported:
    """Write a run's report: finding, comparison, figures, costs, data, teacher, cautions, how to repeat it.

    Raises `KdError` if the data, the teacher or all students are missing or stale.
    """
    crew.start(drawing=True)
    evidence = gather(experiment)
    conclusions = conclude(experiment, evidence)
    data = experiment.data
    hidden = [name for name, kind in FIGURES.items() if kind.shows] if data.is_own else []
    kinds = {name: kind for name, kind in FIGURES.items() if name not in hidden}
    drawn = draw_figures(experiment, kinds, file_format=INLINE, evidence=lambda: evidence)
    left_out = {name: reason for name, reason in drawn.left_out.items() if name in FIGURES}
    left_out |= dict.fromkeys(hidden, PRIVATE)
    figures = Figures(drawn.files, kinds, left_out, drawn.notes)
    page = render(run_page(experiment, conclusions, figures))
    experiment.run.write_report(NAME, page)
    path = experiment.run.path / NAME
    return Reported(experiment.run.name, path, len(page.encode()), list(drawn.files), left_out)
