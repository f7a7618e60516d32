"""The end of a report: the commands, recipe, versions and digests to reproduce a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdcli.commands import spell
from kdcli.errors import Command
from kdcli.report.page.blocks import Block, Chapter, Code, Fold, Paragraph
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.runs.edits import differences
from kdcli.runs.experiment import Experiment
from kdcli.runs.made import distinct
from kdcli.runs.recipe_text import dump
from kdcli.runs.recipes import builtin, builtin_names
from kdcli.runs.source import PREFIX
from kdcli.runs.stored import Stored, TrainedStudents
from kdcli.runs.student_sets import SEEDS
from kdcli.runs.studies import PATHS

TITLE = "How to reproduce it"
FILES = [key.removeprefix("data.") for key in PATHS]  # settings of data that name files


def again(experiment: Experiment) -> Chapter:
    """Return the chapter on how to reproduce a run, and how to check that it is the same."""
    stored = artefacts(experiment)
    commands = list(commands_of(experiment))
    blocks: list[Block] = [
        Paragraph(_instruction(experiment, commands[0].arguments[0])),
        Code("\n".join(map(spell, commands))),
        *_own_files(experiment),
        Paragraph(
            "On the same kind of processor and with the versions below, data and teacher are identical, bit "
            "for bit, and so are students trained in the same calls, as the digests show. Students trained "
            "in other calls agree up to rounding in the last digits."
        ),
        Fold("Recipe", [Code(_recipe(experiment))]),
        versions_table(stored),
        digests_table(stored),
    ]
    return Chapter(TITLE, blocks)


def artefacts(experiment: Experiment) -> list[Stored[Any]]:
    """Return the artefacts in a report: the data, the teacher, and the student sets."""
    teacher = [experiment.teacher] if experiment.has_teacher else []
    return [experiment.data, *teacher, *experiment.students()]


def commands_of(experiment: Experiment) -> Iterator[Command]:
    """Yield the commands that reproduce a run: `kd run`, and one for each set that it does not make."""
    sets = experiment.students()
    wanted = [students for students in sets if _asked_for(students)]
    usual = experiment.recipe.students.seeds
    seeds = min((len(students.set.seeds_asked) for students in wanted), default=usual)
    options = {
        "from": file_name(experiment.teacher_source),
        "seeds": seeds if seeds != usual else None,
        "keep_going": any(students.set.lost for students in wanted),
    }
    yield Command("run", (_named(experiment),), options)
    for students in sets:
        if students not in wanted or len(students.set.seeds_asked) != seeds:
            yield replace(students.command, run="", outputs=None)


def _asked_for(students: TrainedStudents) -> bool:
    """Whether the run's recipe asks for this student set, with this or another number of seeds."""
    asked = students.set.asked(students.experiment.recipe, students.folder, students.meta.used)
    return asked is not None and all(found.key == SEEDS for found in differences(students))


def file_name(source: str) -> str:
    """Return the name of the file in a path, or in a source of a teacher; a command stays as it is."""
    return source if source.startswith(PREFIX) else Path(source).name


def portable(config: Any) -> Any:
    """Return the settings of data with the names of their files alone, which say nothing of a machine."""
    files = {key: file_name(getattr(config, key)) for key in FILES if getattr(config, key, "")}
    return replace(config, **files)


def _named(experiment: Experiment) -> str:
    """Return the built-in recipe of a run, or the file name for a recipe of its own."""
    names = (name for name in builtin_names() if builtin(name) == experiment.recipe)
    return next(names, f"{experiment.run.name.replace('/', '-')}.toml")


def _instruction(experiment: Experiment, name: str) -> str:
    beside = " beside the data" if experiment.data.is_own else ""
    return f"Save the recipe below as {name}{beside}, and run:" if name.endswith(".toml") else "Run:"


def _own_files(experiment: Experiment) -> Iterator[Block]:
    """Yield paragraphs on the files that are needed as well."""
    data = experiment.data
    digest = data.record.content or getattr(data.record.config, "digest", "")
    if data.is_own:
        known = f", with the digest {digest}" if digest else ""
        yield Paragraph(f"It needs the data, {data.description.name}{known}.")
    if source := experiment.teacher_source:
        yield Paragraph(
            f"It needs the teacher, {file_name(source)}, with the digest "
            f"{experiment.teacher.record.settings.digest}."
        )


def _recipe(experiment: Experiment) -> str:
    """Return the recipe without the comments that explain its keys."""
    recipe = experiment.recipe
    teacher = replace(recipe.teacher, source=file_name(recipe.teacher.source))
    text = dump(replace(recipe, data=portable(recipe.data), teacher=teacher))
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def versions_table(stored: Sequence[Stored[Any]]) -> Table:
    """Make a table of the versions that artefacts were made with; equal versions share a column."""
    versions = distinct(one.meta.versions for one in stored)
    titles = ["version"] if len(versions) == 1 else [f"version ({_of(stored, made)})" for made in versions]
    packages = sorted(set().union(*versions))
    return values_table("Versions", "package", packages, dict(zip(titles, versions, strict=True)))


def _of(stored: Sequence[Stored[Any]], versions: Any) -> str:
    return ", ".join(one.name for one in stored if one.meta.versions == versions)


def digests_table(stored: Sequence[Stored[Any]]) -> Table:
    """Make a table of the digests of artefacts, which are equal if their contents are."""
    digests = {one.name: one.meta.digest for one in stored}
    return values_table("Digests", "artefact", digests, {"SHA-256 of its files' digests": digests})


def values_table(
    title: str, head: str, names: Iterable[str], columns: Mapping[str, Mapping[str, str]]
) -> Table:
    """Make a table of texts by name: a row for each name below the `head`, and columns by their titles."""
    rows = [Row(Cell(name), [Cell(values.get(name, "")) for values in columns.values()]) for name in names]
    shown = [Column(column, left=True, folds=True) for column in columns]
    return Table(shown, [Section(rows)], title, Column(head, left=True))
