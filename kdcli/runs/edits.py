"""What was made with other settings than the run's recipe has: by a flag, or before the recipe was edited.

An edit is a change like a flag. Data that are not those of the recipe stop the stages that train on them.
Of all else it is told, since a flag may well have asked for it.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from kdcli.errors import KdError
from kdcli.models import parse_model
from kdcli.runs.artefacts import read_meta, run_recipe
from kdcli.runs.recipe import Recipe, Teacher, applies
from kdcli.runs.schema import LEFT_OUT, data_config
from kdcli.runs.student_sets import seeds_asked, student_sets
from kdcli.settings import rules, said, unsaid
from kdcli.store import Artefact, Meta, Run, to_json

SEEDS = "number of seeds"


class Difference(NamedTuple):
    """A setting that something was made with, where the recipe has another value."""

    key: str
    made_with: Any
    recipe: Any

    def __str__(self) -> str:
        return f"{self.key} = {json.dumps(self.made_with)}, and the recipe says {json.dumps(self.recipe)}"


def differences(recipe: Recipe, name: str, meta: Meta) -> list[Difference]:
    """Return in which settings the artefact `name` differs from the recipe.

    Of a student set that is none of the recipe's there is nothing to tell, nor of one with more seeds.
    """
    made: Mapping[str, Any] = meta.config
    if name == "data":
        now = {"dataset": recipe.dataset, **asdict(recipe.data)}
        made = {**unsaid(type(recipe.data)), **made, "dataset": data_config(made)[0]}
        if made["dataset"] != recipe.dataset:  # the other settings are of different kinds then
            now = {"dataset": recipe.dataset}
    elif name == "teacher":
        made = {**unsaid(Teacher), **made}
        record = {**unsaid(Teacher), **teacher_record(recipe.teacher, meta)}
        now = {key: record[key] for key in rules(Teacher) if key in record and key in made}
    else:
        own = _record_in(recipe, name)
        if own is None:
            return []
        there, wanted = len(seeds_asked(made)), recipe.students.seeds
        now = {key: value for key, value in own.items() if key not in ("seeds", *LEFT_OUT)}
        made, now[SEEDS] = {**made, SEEDS: there}, max(there, wanted)
    return [
        Difference(key, made.get(key), value) for key, value in to_json(now).items() if made.get(key) != value
    ]


def teacher_record(config: Teacher, meta: Meta | None) -> dict[str, Any]:
    """Return a teacher's configuration as its record has it.

    What the stored teacher chose by itself is left out: to ask for it is to ask for the same teacher.
    """
    model = parse_model(config.model)
    record = {key: value for key, value in said(config).items() if applies(key, model)}
    record["model"] = str(model)
    if meta is None:
        return record
    return {key: value for key, value in record.items() if key in meta.config or meta.used.get(key) != value}


def _record_in(recipe: Recipe, name: str) -> dict[str, Any] | None:
    """Return the configuration that the recipe has for a student set of this name; None if it has none.

    It is that of one seed: a recipe may ask for more than can be listed.
    """
    folder = name.removeprefix("students/")
    sets = student_sets(replace(recipe.students, seeds=1))
    return next((one.record for one in sets if one.name == folder), None)


def as_the_recipe_says(run: Run, name: str, found: Sequence[Difference]) -> str:
    """Return the command that makes an artefact with these differences as the recipe says."""
    if name == "data":
        return f"{run.making} --force"
    if name == "teacher":
        return f"kd train-teacher{run.flag} --force"
    more = all(difference.key == SEEDS for difference in found)
    return f"kd distill{run.flag}{'' if more else ' --force'}"


def check_data(recipe: Recipe, data: Artefact) -> None:
    """Raise `KdError` if a run's data were made with other settings than its recipe has."""
    run = data.run
    if found := differences(recipe, data.name, read_meta(data)):
        path = shlex.quote(str(run.recipe_path))
        raise KdError(
            f"the data of run {run.name} were made with {_listed(found)} ({run.recipe_path})",
            f"`{as_the_recipe_says(run, data.name, found)}` makes them as the recipe says, "
            f"`kd gen-data --recipe {path} --run NAME{run.store.flag}` makes a run beside this one; "
            "or undo the edit",
        )


def notes(run: Run, names: Sequence[str]) -> list[str]:
    """Say which of these artefacts of a run differ from its recipe, in one sentence if they differ alike."""
    recipe = run_recipe(run)
    alike: dict[tuple[str, str], list[str]] = {}
    for artefact in map(run.artefact, names):
        if artefact.finished and (found := differences(recipe, artefact.name, read_meta(artefact))):
            renew = as_the_recipe_says(run, artefact.name, found)
            alike.setdefault((_listed(found), renew), []).append(artefact.name)
    return [
        f"{', '.join(several)}: made with {told}; `{renew}` goes by the recipe"
        for (told, renew), several in alike.items()
    ]


def _listed(found: Sequence[Difference]) -> str:
    return "; ".join(map(str, found))
