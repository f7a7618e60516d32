"""`kd compare`: the evidence on a run's students, kept as `compare.json`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.errors import Command, KdError, Text, joined
from kdcli.evidence.conclusions import Conclusions, conclude
from kdcli.evidence.gather import Evidence, gather
from kdcli.evidence.groups import ByGroup, by_groups
from kdcli.models import parse_model
from kdcli.progress import Watch, unwatched
from kdcli.report.cautions import caution_text, not_compared
from kdcli.report.documents import as_csv, document
from kdcli.report.evidence import (
    cost_table,
    means_table,
    metrics_table,
    new_examples_table,
    recall_table,
    verdict_table,
)
from kdcli.report.groups import groups_document, groups_table, groups_text
from kdcli.report.headline import headline
from kdcli.report.sentences import coverage, sentences
from kdcli.report.table import Table
from kdcli.report.told import Line, Told
from kdcli.report.words import wrote
from kdcli.runs.experiment import Experiment
from kdcli.store import fitting, spelled, to_json

CORRECTED = (
    "Verdicts hold at 95 % for all groups and sets of the table together (Holm's correction). In a group "
    "with few examples, only large differences can be detected."
)


@dataclass(frozen=True)
class Compared:
    """The result of `kd compare`, and the file that it wrote.

    `more` is the command that shows the rest; None if everything is shown.
    """

    path: Path
    conclusions: Conclusions
    more: Command | None
    groups: ByGroup | None = None

    def told(self) -> Iterator[Told]:
        """Return the finding, the table that proves it, and cautions."""
        conclusions, evidence = self.conclusions, self.conclusions.evidence
        if self.groups:
            yield from (_sentence("", text) for text in groups_text(self.groups, evidence))
            yield ""
            yield groups_table(self.groups, evidence)
            yield from self._cautions()
            yield _sentence("", CORRECTED)
            yield wrote(self.path)
            return
        if finding := headline(evidence, conclusions.groups):
            yield _sentence("", finding)
            yield ""
        table = metrics_table(evidence)
        yield verdict_table(evidence, table)
        if not self.more:
            yield from self._rest(table)
        if conclusions.brought:
            yield new_examples_table(conclusions.brought)
        yield from self._cautions()
        yield _sentence("", coverage(evidence, () if self.more else conclusions.groups))
        if self.more:
            rest = " adds the other metrics, costs, where gains come from, and power."
            yield _sentence("", (self.more, rest))
        yield wrote(self.path)

    def _cautions(self) -> Iterator[Told]:
        """Return cautions, and what was left out."""
        evidence = self.conclusions.evidence
        if reasons := list(not_compared(evidence)):
            yield Line("not compared", emphasis="strong")
            yield from (_sentence("• ", reason) for reason in reasons)
        yield from (_sentence("! ", caution_text(caution)) for caution in self.conclusions.cautions)
        for old in evidence.stale:
            yield _sentence(f"! left out {old.artefact}: stale; ", (old.renew, " renews it"))

    def _rest(self, table: Table) -> Iterator[Told]:
        """Return the means of the other metrics, the costs, and the sentences on each group."""
        conclusions, evidence = self.conclusions, self.conclusions.evidence
        if means := means_table(evidence, table):
            yield means
        if recall := recall_table(evidence):
            yield recall
        yield cost_table(evidence, conclusions.teacher_cost, conclusions.costs)
        for group, texts in sentences(evidence, conclusions.groups).items():
            yield Line(group, emphasis="strong")
            yield from (_sentence("• ", text) for text in texts)

    def document(self) -> dict[str, Any]:
        """Return the content of `compare.json`, and its path."""
        return {**self.content(), "path": self.path}

    def content(self) -> dict[str, Any]:
        """Return the content of `compare.json`."""
        groups = {"groups": groups_document(self.groups)} if self.groups else {}
        return {**document(self.conclusions), **groups}

    def csv(self) -> str:
        """Return the evidence as CSV."""
        return as_csv(self.conclusions)


def compare(
    experiment: Experiment,
    *,
    models: Sequence[str] = (),
    metrics: Sequence[str] = (),
    control: str | None = None,
    unpaired: bool = False,
    full: bool = False,
    by: str | None = None,
    watch: Watch = unwatched,
) -> Compared:
    """Compare a run's students with their controls, and write `compare.json`.

    See `evidence.gather` for the options and errors; raises `KdError` also if no set has a control. The file
    is named after `models`. `full` shows all of the evidence; `by` compares within groups instead, by class
    or by a column.
    """
    evidence = gather(experiment, models=models, metrics=metrics, control=control, unpaired=unpaired)
    unmatched = [students for students in evidence.students if students.why]
    if unmatched and not any(students.versus for students in evidence.students):
        first = unmatched[0]
        remedy: Text = (
            ("make a control with ", first.remedy) if first.remedy else "name another with --control"
        )
        raise KdError(f"{first.name} of run {experiment.run.name}: {first.why}", remedy)
    named = fitting("".join(f"-{parse_model(model).slug}" for model in models))
    more = experiment.run.command(
        "compare", full=True, model=models, metric=metrics, control=control, unpaired=unpaired
    )
    groups = by_groups(experiment, evidence, by, watch) if by else None
    named = fitting(f"{named}-by-{spelled(by)}") if by else named
    return report(experiment, evidence, named, None if full else more, groups)


def report(
    experiment: Experiment,
    evidence: Evidence,
    named: str,
    more: Command | None,
    groups: ByGroup | None = None,
) -> Compared:
    """Draw conclusions from the evidence of a run, and write them to `compare.json`."""
    path = experiment.run.path / f"compare{named}.json"
    compared = Compared(path, conclude(experiment, evidence), more, groups)
    content = json.dumps(to_json(compared.content()), indent=2, allow_nan=False)
    experiment.run.write_report(compared.path.name, content + "\n")
    return compared


def _sentence(mark: str, text: Text) -> Line:
    return Line(joined(mark, text), wrap=True)
