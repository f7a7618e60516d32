"""Evidence of studies made of arrays: runs that are compared as they are given."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sweeping import plan

from kdcli.errors import KdError
from kdcli.evidence import study as studies
from kdcli.evidence.gather import Evidence
from kdcli.evidence.study import StudyEvidence, gather_study
from kdcli.runs.experiment import Experiment

Gathered = Callable[..., StudyEvidence]


def gathering(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Gathered:
    """Return a function that compares the runs of a study, given the evidence of each by its name."""

    def gather_all(vary: str, runs: Mapping[str, Evidence | KdError | None]) -> StudyEvidence:
        """Compare runs; None stands for a missing run, and an error for a run that cannot be read."""
        study = plan(outputs, vary)
        assert {planned.name for planned in study.runs} == set(runs)
        for name, evidence in runs.items():
            if evidence is not None:
                study.folder.run(name).write_recipe("")

        def given(experiment: Experiment) -> Any:
            found = runs[experiment.run.name.partition("/")[2]]
            if isinstance(found, KdError):
                raise found
            return found

        monkeypatch.setattr(studies, "gather", given)
        monkeypatch.setattr(studies, "is_made", lambda run, recipe: True)
        return gather_study(study)

    return gather_all
