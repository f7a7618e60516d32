"""The kinds of artefacts of a run: the classes that read each kind, and the command that makes it.

To add a kind, write one class with the methods of `Record` and one line here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kdcli.metrics import RECORDED
from kdcli.runs.records import DataRecord, Record, TeacherRecord
from kdcli.runs.stored import Data, Stored, TrainedStudents, TrainedTeacher, TransferExamples
from kdcli.runs.student_sets import StudentSet
from kdcli.runs.transfer_record import TransferRecord
from kdcli.store import Artefact, Meta, Run

# Names of kinds; a run may hold several artefacts of the last two.
DATA, TEACHER, TRANSFER, STUDENTS = "data", "teacher", "transfer", "students"


@dataclass(frozen=True)
class Kind:
    """A kind of artefact: the class of its records and of what is stored, and the command that makes one.

    A run has `several` in a folder of this name, or a single one. `beside` says how to keep two that differ;
    empty if a run cannot keep both.
    """

    record: type[Record]
    stored: type[Stored[Any]]
    stage: str
    several: bool = False
    beside: str = ""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        DATA: Kind(DataRecord, Data, "gen-data", beside="--run NAME keeps both"),
        TEACHER: Kind(TeacherRecord, TrainedTeacher, "train-teacher"),
        TRANSFER: Kind(TransferRecord, TransferExamples, "distill", several=True),
        STUDENTS: Kind(
            StudentSet,
            TrainedStudents,
            "distill",
            several=True,
            beside="--name NAME, for one target at a time, keeps both",
        ),
    }
)


def kind_of(name: str) -> Kind:
    """Return the kind of an artefact by its name, such as "students/soft-T4-mlp4"."""
    return KINDS[name.partition("/")[0]]


def artefacts(run: Run) -> list[Artefact]:
    """Return the artefacts of a run, kind by kind, whether or not they exist."""
    found: list[Artefact] = []
    for name, kind in KINDS.items():
        found += run.artefacts(name) if kind.several else [run.artefact(name)]
    return found


def parse(name: str, meta: Meta) -> Record:
    """Read the record of an artefact.

    Raises ValueError or `UsageError` for content that no stage would have written: in its configuration, its
    parents, or its scores.
    """
    record = kind_of(name).record.from_record(meta.config)
    if set(meta.parents) != set(record.parents):
        made, stated = (" and ".join(sorted(these)) or "nothing" for these in (record.parents, meta.parents))
        raise ValueError(f"it is made from {made}, not from {stated}")
    if record.scored:
        for metric in {*RECORDED, *meta.metrics}:
            _check_scores(metric, meta.metrics.get(metric), record.scored)
    return record


def _check_scores(metric: str, draws: Any, models: int) -> None:
    """Raise ValueError unless each draw has a number of at least 0 for each of the `models`."""
    if not isinstance(draws, list) or not draws:
        raise ValueError(f"{metric} is not scored on any draw")
    for values in draws:
        if not isinstance(values, list) or len(values) != models:
            raise ValueError(f"{metric} is not scored for each of {models} models")
        if any(type(value) not in (int, float) or math.isnan(value) or value < 0 for value in values):
            raise ValueError(f"{metric} has scores that are not numbers, or below 0")
