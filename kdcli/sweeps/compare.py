"""`kd compare STUDY`: the evidence of many runs together, kept as `compare.json` in the study's folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.errors import joined
from kdcli.evidence.study import ByValue, StudyEvidence, by_value, gather_study
from kdcli.report.study import (
    LISTED,
    by_table,
    study_coverage,
    study_csv,
    study_document,
    study_table,
    study_text,
    unread_runs,
)
from kdcli.report.told import Line, Told
from kdcli.report.words import wrote
from kdcli.runs.studies import Study
from kdcli.runs.vary import check_key
from kdcli.store import to_json, write_file
from kdcli.words import counted


@dataclass(frozen=True)
class StudyCompared:
    """The result of `kd compare` on a study, as a whole or `by` the values of a key."""

    path: Path
    evidence: StudyEvidence
    by: str
    values: tuple[ByValue, ...]
    full: bool

    def told(self) -> Iterator[Told]:
        """Return the finding, the table that proves it, and what is left out."""
        evidence, folder = self.evidence, self.evidence.study.folder
        for text in study_text(evidence):
            yield Line(text, wrap=True)
        yield ""
        yield by_table(self.values, self.by) if self.by else study_table(evidence, full=self.full)
        runs = len({row.run for row in evidence.rows})
        if not self.by:
            if evidence.best:
                yield f"* the best on validation examples: {evidence.best.treatment}"
            if runs > LISTED and not self.full:
                more = folder.store.command("compare", folder.name, full=True)
                yield Line((f"and {counted(runs - LISTED, 'more run')}: ", more))
        if evidence.missing:
            yield f"! {counted(len(evidence.missing), 'run')} not made yet"
        for name, reason in unread_runs(evidence).items():
            yield Line(joined(f"! left out {name}: ", reason), wrap=True)
        yield Line(study_coverage(evidence, averages=bool(self.by)), wrap=True)
        yield wrote(self.path)

    def document(self) -> dict[str, Any]:
        """Return the evidence for programs."""
        return study_document(self.evidence, self.by, self.values)

    def csv(self) -> str:
        """Return the evidence as CSV."""
        return study_csv(self.evidence)


def compare_study(study: Study, *, by: str | None = None, full: bool = False) -> StudyCompared:
    """Compare the students of all runs of a study with their controls, and write `compare.json`."""
    by = check_key(by, list(study.varied)) if by else ""
    evidence = gather_study(study)
    values = tuple(by_value(evidence, by)) if by else ()
    path = study.folder.path / "compare.json"
    compared = StudyCompared(path, evidence, by, values, full)
    content = json.dumps(to_json(compared.document()), indent=2, allow_nan=False)
    write_file(path, content.encode() + b"\n")
    return compared
