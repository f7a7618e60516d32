"""`kd report STUDY`: the evidence of a study as one HTML file to share."""

from kdcli.evidence.study import gather_study
from kdcli.figures import STUDY_FIGURES
from kdcli.report.figure_files import INLINE, drawn
from kdcli.report.page.figures import Figures
from kdcli.report.page.render import render as as_html
from kdcli.report.page.study import study_page
from kdcli.runs.studies import Study
from kdcli.stages.report import NAME, Reported
from kdcli.store import write_file
from kdcli.sweeps.plot import view_of


def report_study(study: Study) -> Reported:
    """Write a study's report: the findings over its runs, each run, and how to reproduce them.

    Raises `KdError` if the study has no runs.
    """
    evidence = gather_study(study)
    view = view_of(evidence)
    obstacles = {name: why for name, kind in STUDY_FIGURES.items() if (why := kind.obstacle(view))}
    files = {name: drawn(kind, view, INLINE) for name, kind in STUDY_FIGURES.items() if name not in obstacles}
    page = as_html(study_page(evidence, Figures(files, STUDY_FIGURES, obstacles, {}))).encode()
    path = study.folder.path / NAME
    write_file(path, page)
    return Reported(study.folder.name, path, len(page), list(files), dict(obstacles))
