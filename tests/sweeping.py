"""Helpers for tests of studies: a tiny sweep file, and its study, planned or made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdcli.runs.made import Made
from kdcli.runs.studies import Study
from kdcli.store import Run, Store, StudyFolder
from kdcli.sweeps.making import Task, make

TINY_SWEEP = """
[data]
dataset = "gaussians"
n_samples = 60
n_test = 60

[teacher]
model = "mlp:4"
epochs = 3

[students]
models = ["mlp:4"]
targets = ["labels", "soft"]
seeds = 2
epochs = 3

[[vary]]
"""
SEEDS = '"data.seed" = [1, 2]\n'
TEMPERATURES = '"students.temperatures" = [1.0, 4.0]\n'


def plan(outputs: Path, vary: str = SEEDS, name: str = "many", **options: Any) -> Study:
    """Plan a tiny study in which this varies."""
    Path(f"{name}.toml").write_text(TINY_SWEEP + vary)
    return Study.planned(StudyFolder(Store(outputs), name), f"{name}.toml", **options)


def made(outputs: Path, vary: str = SEEDS, name: str = "many") -> Study:
    """Return a tiny study whose runs are made, in this process."""
    study = plan(outputs, vary, name)
    study.store()
    for planned in study.runs:
        assert not make(Task.of(study, planned)).error
    return study


def run_of(study: Study, number: int = 0) -> Run:
    """Return one of the runs of a study."""
    return study.folder.run(study.runs[number].name)


def digests(study: Study) -> dict[str, Mapping[str, str]]:
    """Return the digests of all artefacts of the runs that are made, by run."""
    return {
        planned.name: record.digests
        for planned in study.runs
        if (record := Made.of(study.folder.run(planned.name)))
    }
