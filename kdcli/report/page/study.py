"""The report of a study: the findings over its runs, each run, and how to reproduce them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tomli_w

from kdcli.commands import spell
from kdcli.errors import Command, KdError, joined
from kdcli.evidence.study import by_value
from kdcli.report.page.again import TITLE, values_table
from kdcli.report.page.blocks import Block, Chapter, Code, Facts, Fold, Page, Paragraph
from kdcli.report.page.figures import Figures
from kdcli.report.study import (
    by_table,
    leaf,
    study_coverage,
    study_table,
    study_text,
    unread_runs,
    value_text,
)
from kdcli.report.table import Table
from kdcli.runs.made import Made, machines_of
from kdcli.runs.studies import EXACT, Study, study_names
from kdcli.store import to_json
from kdcli.store.artefact import digest_of
from kdcli.words import counted, listed

if TYPE_CHECKING:
    from kdcli.evidence.study import StudyEvidence


def study_page(evidence: StudyEvidence, figures: Figures) -> Page:
    """Return the report of a study."""
    study = evidence.study
    runs = len({row.run for row in evidence.rows})
    chapters = [
        Chapter("Finding", [Paragraph(text, "finding") for text in study_text(evidence)]),
        Chapter("Comparison", list(_comparison(evidence))),
        *figures.chapters(),
        Chapter("What varies", [Facts([(key, _values(values)) for key, values in study.varied.items()])]),
        Chapter("Cautions", list(_cautions(evidence))),
        again(study),
    ]
    varied = listed([leaf(key) for key in study.varied])
    subtitle = f"A study of knowledge distillation: {counted(runs, 'run')} that differ in {varied}."
    return Page(study.folder.name, subtitle, chapters)


def _values(values: Sequence[Any]) -> str:
    return ", ".join(map(value_text, values))


def _comparison(evidence: StudyEvidence) -> Iterator[Block]:
    """Yield a table of the gains for each value of a key, and then all runs."""
    for key in evidence.keys:
        yield by_table(by_value(evidence, key), key)
    yield study_table(evidence, full=True)
    if evidence.best:
        yield Paragraph(f"* The best on validation examples is {evidence.best.treatment}.", "remark")
    yield Paragraph(study_coverage(evidence, averages=True), "remark")


def _cautions(evidence: StudyEvidence) -> Iterator[Block]:
    if evidence.missing:
        missing = len(evidence.missing)
        verb = "is" if missing == 1 else "are"
        yield Paragraph(f"{counted(missing, 'run')} of the plan {verb} still missing.", "caution")
    for name, reason in unread_runs(evidence).items():
        yield Paragraph(joined(f"{name} is left out: ", reason), "caution")
    if not (evidence.missing or evidence.unread):
        yield Paragraph("All runs of the plan exist, and none is left out.")


def again(study: Study) -> Chapter:
    """Return the chapter on how to reproduce a study, and how to check that it is the same."""
    source = next((name for name in study_names() if _same(study, name)), "")
    options = {} if study.reproducible == EXACT else {"reproducible": study.reproducible}
    file = source or f"{study.folder.name}.toml"
    made = {run.name: own for run in study.runs if (own := Made.of(study.folder.run(run.name)))}
    return Chapter(
        TITLE,
        [
            Paragraph("Run:" if source else f"Save the sweep file below as {file}, and run:"),
            Code(spell(Command("sweep", (file,), options))),
            Fold("Sweep file", [Code(tomli_w.dumps(to_json(study.tables)))]),
            _machines_table(machines_of(made.values())),
            _digests_table(made),
        ],
    )


def _same(study: Study, name: str) -> bool:
    """Whether a study that comes with kd has the same runs."""
    try:
        return Study.planned(study.folder, name).digest == study.digest
    except KdError:
        return False


def _machines_table(machines: Sequence[Mapping[str, str]]) -> Table:
    titles = ["version"] if len(machines) == 1 else [f"machine {k + 1}" for k in range(len(machines))]
    columns = dict(zip(titles, machines, strict=True))
    return values_table("Versions and processor instructions", "", sorted(set().union(*machines)), columns)


def _digests_table(made: Mapping[str, Made]) -> Table:
    """Make a table with a digest of each run: that of the digests of its artefacts."""
    digests = {name: digest_of(own.digests) for name, own in made.items()}
    return values_table("Digests", "run", digests, {"SHA-256 of its artefacts' digests": digests})
