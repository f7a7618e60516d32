"""`kd show`: what a run holds, and what state it is in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.report.items import item_document, paths, problems, state_cell, states_document, training_states
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.told import Told
from kdcli.report.words import iso, legible, minute, place
from kdcli.runs.experiment import Experiment
from kdcli.runs.inventory import Item, KeptState, inventory, kept_states
from kdcli.store import Extent, extent, is_current, leftovers, other_files
from kdcli.words import listed, readable_size


@dataclass(frozen=True)
class File:
    """A file that belongs to no artefact: the recipe, a report, a figure."""

    path: Path
    extent: Extent

    def row(self, run: Path) -> Row:
        """Return the row of a table, with the path from the folder of the run."""
        name = Cell(legible(str(self.path.relative_to(run))))
        return Row(name, [Cell(readable_size(self.extent.size)), Cell(minute(iso(self.extent.written)))])

    def document(self) -> dict[str, Any]:
        """Return the file's path, size and age."""
        return {"path": self.path, "size": self.extent.size, "written": iso(self.extent.written)}


@dataclass(frozen=True)
class RunShown:
    """The contents of a run; `sizes` are the sizes of the items in bytes."""

    run: str
    path: Path
    current: bool
    extent: Extent
    items: Sequence[Item]
    sizes: Sequence[int]
    files: Sequence[File]
    states: Sequence[KeptState]
    leftovers: Sequence[Path]

    def told(self) -> Iterator[Told]:
        """Return tables of artefacts and files, what is wrong with them, and what can be resumed."""
        current = ", the current run" if self.current else ""
        yield f"run {self.run}{current}: {place(self.path)}, {readable_size(self.extent.size)}"
        columns = [Column("state", left=True), Column("size"), Column("made", left=True)]
        rows = [_row(item, size) for item, size in zip(self.items, self.sizes, strict=True)]
        yield Table(columns, [Section(rows)], head=Column("artefact", left=True, folds=True))
        if self.files:
            columns = [Column("size"), Column("written", left=True)]
            rows = [file.row(self.path) for file in self.files]
            yield Table(columns, [Section(rows)], head=Column("file", left=True, folds=True))
        yield from problems(self.items)
        yield from training_states(self.states)
        yield from paths(self.leftovers)

    def document(self) -> dict[str, Any]:
        """Return the artefacts with their states, the files, and what can be resumed."""
        return {
            "run": self.run,
            "path": self.path,
            "current": self.current,
            "size": self.extent.size,
            "artefacts": [
                _item_document(item, size) for item, size in zip(self.items, self.sizes, strict=True)
            ],
            "files": [file.document() for file in self.files],
            **states_document(self.states),
            "leftovers": self.leftovers,
        }


def _row(item: Item, size: int) -> Row:
    """Return an artefact's row, with its description and its parents below its name."""
    made_from = f"from {listed(list(item.meta.parents))}" if item.meta and item.meta.parents else ""
    title = Cell(item.name, emphasis="strong", below=[line for line in (item.words, made_from) if line])
    made = minute(item.meta.created) if item.meta else ""
    return Row(title, [state_cell(item), Cell(readable_size(size)), Cell(made)])


def _item_document(item: Item, size: int) -> dict[str, Any]:
    meta = item.meta
    return {
        **item_document(item),
        "parents": list(meta.parents) if meta else [],
        "config": meta.config if meta else None,
        "size": size,
        "created": meta.created if meta else None,
    }


def show_run(experiment: Experiment) -> RunShown:
    """Return what a run holds, every file compared with its digest."""
    run, items = experiment.run, inventory(experiment)
    return RunShown(
        run=run.name,
        path=run.path,
        current=is_current(run),
        extent=extent(run.path),
        items=items,
        sizes=[extent(item.path).size for item in items],
        files=[File(path, extent(path)) for path in other_files(run)],
        states=kept_states(run),
        leftovers=leftovers(run),
    )
