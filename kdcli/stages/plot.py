"""`kd plot`: draw the run's figures from its artefacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli import crew
from kdcli.commands import text
from kdcli.errors import Text, UsageError, joined, unknown
from kdcli.evidence.gather import Evidence, gather
from kdcli.figures import FIGURES, FORMATS, FigureKind, find_figure
from kdcli.models import parse_model
from kdcli.report.drawing import collect, draw
from kdcli.report.told import Line, Told
from kdcli.report.words import wrote
from kdcli.runs.experiment import Experiment
from kdcli.store import fitting
from kdcli.words import counted

if TYPE_CHECKING:
    from kdcli.figures.view import Difference, View


@dataclass(frozen=True)
class Plotted:
    """What `kd plot` drew, what it left out and why, and what single figures leave out."""

    run: str
    path: Path
    figures: list[Path]
    left_out: dict[str, Text]
    notes: dict[str, Text]

    def told(self) -> Iterator[Told]:
        """Return the figures, and which are not drawn and why."""
        yield f"run {self.run}: {counted(len(self.figures), 'figure')}"
        yield from map(wrote, self.figures)
        yield from (Line(joined(f"left out {name}: ", reason)) for name, reason in self.left_out.items())
        yield from (Line(joined(f"{name} ", note)) for name, note in self.notes.items())

    def document(self) -> dict[str, Any]:
        """Return the paths of the figures, and which are not drawn and why."""
        return {
            **asdict(self),
            "left_out": {name: text(reason) for name, reason in self.left_out.items()},
            "notes": {name: text(note) for name, note in self.notes.items()},
        }


def check_format(file_format: str) -> None:
    """Raise `UsageError` unless figures can be drawn in this format."""
    if file_format not in FORMATS:
        raise unknown("format", file_format, FORMATS)


@dataclass(frozen=True)
class Drawn:
    """Figures as files by name, why others are not drawn, and what those that are leave out."""

    files: dict[str, bytes]
    left_out: dict[str, Text]
    notes: dict[str, Text]


def plot(
    experiment: Experiment,
    names: Sequence[str] = (),
    *,
    models: Sequence[str] = (),
    file_format: str = "png",
    evidence: Callable[[], Evidence] | None = None,
) -> Plotted:
    """Draw the named figures of a run, or all that apply, for all students or those of some models.

    `evidence` returns the evidence on these students, if the caller needs it too.

    Raises `UsageError` for an unknown figure, model or format and for a named figure that does not apply, and
    `KdError` if the data are missing or stale, or nothing is trained.
    """
    check_format(file_format)
    crew.start()
    kinds = {name: find_figure(name) for name in names or FIGURES}
    drawn = draw_figures(
        experiment, kinds, named=bool(names), models=models, file_format=file_format, evidence=evidence
    )
    run = experiment.run
    # Files are named after the models, so that the figures of all students stay.
    suffix = fitting("".join(f"-{parse_model(model).slug}" for model in models))
    return Plotted(
        run.name,
        run.path / "figures",
        [run.write_figure(f"{name}{suffix}.{file_format}", file) for name, file in drawn.files.items()],
        drawn.left_out,
        drawn.notes,
    )


def draw_figures(
    experiment: Experiment,
    kinds: Mapping[str, FigureKind],
    *,
    named: bool = False,
    models: Sequence[str] = (),
    file_format: str = "png",
    evidence: Callable[[], Evidence] | None = None,
) -> Drawn:
    """Draw figures of these kinds, as far as they apply; raises `UsageError` for one that was `named`."""
    view, left_out = collect(experiment, models, evidence or (lambda: gather(experiment, models=models)))
    plain = _select(kinds, view, compares=False)
    comparing = cache(lambda: _select(kinds, view, compares=True))  # which measures the differences
    if named:  # refuse before drawing any
        _refuse(plain.obstacles | comparing().obstacles)

    def compare() -> tuple[list[str], Sequence[Difference]]:
        drawable = comparing().drawable
        return drawable, view.differences() if drawable else []

    files = draw(experiment.run, plain.drawable, compare, models=models, file_format=file_format)
    obstacles, notes = plain.obstacles | comparing().obstacles, plain.notes | comparing().notes
    return Drawn(
        {name: files[name] for name in kinds if name in files},
        left_out | {name: obstacles[name] for name in kinds if name in obstacles},
        {name: notes[name] for name in kinds if name in notes},
    )


UNASKED = "leaves out the teacher, since only its predictions are stored"


@dataclass
class _Selection:
    """Figures that can be drawn with notes on what they leave out, and why others cannot be drawn."""

    drawable: list[str] = field(default_factory=list)
    obstacles: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Text] = field(default_factory=dict)


def _select(kinds: Mapping[str, FigureKind], view: View, *, compares: bool) -> _Selection:
    """Select from the figures that compare student sets with their control, or from the others."""
    selection = _Selection()
    for name, kind in kinds.items():
        if kind.compares != compares:
            continue
        seen = kind.seen(view)
        if obstacle := kind.obstacle(seen):
            selection.obstacles[name] = obstacle
            continue
        selection.drawable.append(name)
        if note := kind.note(seen):
            selection.notes[name] = note
        if seen is not view:
            selection.notes[name] = joined(UNASKED, *(("; ", note) if note else ()))
    return selection


def _refuse(obstacles: Mapping[str, str]) -> None:
    """Raise `UsageError` if there are obstacles."""
    if obstacles:
        raise UsageError("; ".join(f"cannot draw {name}: {why}" for name, why in obstacles.items()))
