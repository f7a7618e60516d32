"""`kd plot --run STUDY`: draw the figures of a study from the stored results of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kdcli.commands import text
from kdcli.errors import Text, UsageError, joined
from kdcli.evidence.study import StudyEvidence, StudyRow, gather_study
from kdcli.figures import STUDY_FIGURES, find_study_figure
from kdcli.figures.study_view import Key, Place, Score, SetOfRun, StudyRun, StudyView
from kdcli.report.figure_files import drawn
from kdcli.report.study import leaf, value_text
from kdcli.report.told import Line, Told
from kdcli.report.words import wrote
from kdcli.runs.studies import Study
from kdcli.runs.vary import check_key
from kdcli.stages.plot import check_format
from kdcli.store import fitting, write_file
from kdcli.words import counted

UNITS = {  # of keys whose names do not tell the unit
    "batch_size": "examples",
    "n_rows": "rows",
    "n_samples": "examples",
    "n_test": "examples",
    "n_val": "examples",
    "noise": "standard deviation",
    "separation": "standard deviations",
    "transfer_size": "examples",
}
SCORES = ("accuracy", "nll")


@dataclass(frozen=True)
class StudyPlotted:
    """The figures that `kd plot` drew of a study, and the figures and runs left out, with reasons."""

    study: str
    path: Path
    figures: list[Path]
    left_out: dict[str, Text]

    def told(self) -> Iterator[Told]:
        """Return the figures, and what was left out and why."""
        yield f"study {self.study}: {counted(len(self.figures), 'figure')}"
        yield from map(wrote, self.figures)
        yield from (Line(joined(f"left out {name}: ", reason)) for name, reason in self.left_out.items())

    def document(self) -> dict[str, Any]:
        """Return the paths of the figures, and what was left out and why."""
        return {**asdict(self), "left_out": {name: text(reason) for name, reason in self.left_out.items()}}


def plot_study(
    study: Study, names: Sequence[str] = (), by: str | None = None, file_format: str = "png"
) -> StudyPlotted:
    """Draw the named figures of a study, or all that apply, with the key `by` on the horizontal axis.

    Raises `UsageError` for an unknown figure, key or format and for a named figure that does not apply, and
    `KdError` if no run is made.
    """
    check_format(file_format)
    kinds = {name: find_study_figure(name) for name in names or STUDY_FIGURES}
    key = check_key(by, list(study.varied)) if by else None
    evidence = gather_study(study)
    view = view_of(evidence, key)
    obstacles = {name: why for name, kind in kinds.items() if (why := kind.obstacle(view))}
    if names and obstacles:
        raise UsageError("; ".join(f"cannot draw {name}: {why}" for name, why in obstacles.items()))
    folder = study.folder.path / "figures"
    suffix = "" if view.by is None else fitting(f"-by-{view.keys[view.by].name}")
    figures = []
    for name, kind in kinds.items():
        if name not in obstacles:
            figures.append(folder / f"{name}{suffix}.{file_format}")
            write_file(figures[-1], drawn(kind, view, file_format))
    unread = {name: joined(f"{error}; ", hint) for name, (error, hint) in evidence.unread.items()}
    return StudyPlotted(study.folder.name, folder, figures, {**obstacles, **unread})


def view_of(evidence: StudyEvidence, by: str | None = None) -> StudyView:
    """Return the content of a study's figures, with the key `by` on the horizontal axis."""
    keys = {name: _key(name, values, evidence.keys) for name, values in evidence.study.varied.items()}
    places = {run.name: _place(run.varied, keys) for run in evidence.study.runs}
    rows: dict[str, list[StudyRow]] = {}
    for row in evidence.rows:
        rows.setdefault(row.run, []).append(row)
    return StudyView(
        study=evidence.study.folder.name,
        keys=list(keys.values()),
        runs=[
            StudyRun(places[run], list(map(_set_of_run, sets)), _levels(run, evidence))
            for run, sets in rows.items()
        ],
        treatments=evidence.treatments,
        control_of=_controls(rows.values()),
        missing=[place for name, place in places.items() if name not in rows],
        draws=max(len(row.students.per_seed["accuracy"]) for row in evidence.rows),
        by=evidence.keys.index(by) if by else None,
    )


def _key(name: str, values: Sequence[Any], names: Sequence[str]) -> Key:
    """Return a key for figures, with numbers in order, named in full if another key has its last part."""
    last = leaf(name)
    alike = [other for other in names if leaf(other) == last]
    key = Key(last if len(alike) == 1 else name, values, (), UNITS.get(last, ""))
    ordered = sorted(values) if key.is_numeric else list(values)
    return Key(key.name, ordered, list(map(value_text, ordered)), key.unit)


def _place(varied: Mapping[str, Any], keys: Mapping[str, Key]) -> Place:
    return tuple(
        list(key.values).index(varied[name]) if name in varied else None for name, key in keys.items()
    )


def _controls(runs: Iterable[Sequence[StudyRow]]) -> dict[str, str]:
    """Return the control of each treatment."""
    controls: dict[str, str] = {}
    for sets in runs:
        treatments = {row.students.name: row.treatment for row in sets}
        compared = [row for row in sets if row.students.control in treatments]
        controls |= {row.treatment: treatments[row.students.control] for row in compared}
    return controls


def _set_of_run(row: StudyRow) -> SetOfRun:
    estimates, versus = row.students.estimates, row.students.versus.get("accuracy")
    scores: dict[str, Score] = {
        name: (estimates[name].mean, *(estimates[name].interval or (None, None))) for name in SCORES
    }
    gain = 100 * versus.gain if versus and versus.difference is not None else None
    return SetOfRun(row.treatment, scores, gain, versus.verdict if versus else None)


def _levels(run: str, evidence: StudyEvidence) -> dict[str, float]:
    """Return the reference test accuracies of a run: its teacher's and the Bayes optimum, where known."""
    known = {"teacher": evidence.teachers.get(run), "Bayes optimum": evidence.bayes.get(run)}
    return {name: accuracy for name, accuracy in known.items() if accuracy is not None}
