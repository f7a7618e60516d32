"""Artefacts whose settings differ from the run's recipe: made with a flag, or before the recipe was edited.

An edit is a change like a flag. Data that differ from the recipe stop the stages that train on them. Other
artefacts only get a note, since a flag may have been intended.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from kdcli.errors import Command, KdError, Text, joined
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import kind_of
from kdcli.runs.stored import Stored
from kdcli.runs.student_sets import SEEDS
from kdcli.store import to_json


class Difference(NamedTuple):
    """A setting of an artefact that has another value in the recipe."""

    key: str
    made_with: Any
    recipe: Any

    def __str__(self) -> str:
        return f"{self.key} = {json.dumps(self.made_with)}, but the recipe says {json.dumps(self.recipe)}"


def differences(stored: Stored[Any]) -> list[Difference]:
    """Return the settings in which an artefact differs from its run's recipe.

    A student set that the recipe does not have has no differences, and more seeds are none. A setting that
    does not apply to both models is not compared.
    """
    asked = stored.record.asked(stored.experiment.recipe, stored.folder, stored.meta.used)
    if asked is None:
        return []
    made, now = (to_json(record.settings_of_recipe()) for record in (stored.record, asked))
    if SEEDS in now:  # more seeds than the recipe asks for are no difference
        now[SEEDS] = max(made[SEEDS], stored.experiment.recipe.students.seeds)
    if made.get("dataset") != now.get("dataset"):  # then the other settings cannot be compared
        made, now = ({"dataset": table["dataset"]} for table in (made, now))
    return [Difference(key, made[key], value) for key, value in now.items() if made.get(key, value) != value]


def as_the_recipe_says(stored: Stored[Any], different: Iterable[Difference]) -> Command:
    """Return the command that makes an artefact with these differences again, following the recipe."""
    more = all(difference.key == SEEDS for difference in different)
    return stored.experiment.run.command(kind_of(stored.name).stage, force=not more)


def check_data(experiment: Experiment) -> None:
    """Raise `KdError` if a run's data were made with other settings than its recipe has."""
    run, data = experiment.run, experiment.data
    if different := differences(data):
        recipe = str(run.recipe_path)
        raise KdError(
            f"the data of run {run.name} were made with {_listed(different)} ({recipe})",
            (
                as_the_recipe_says(data, different),
                " makes them again from the recipe; ",
                run.store.command("gen-data", recipe=recipe, run="NAME"),
                " makes another run; or undo the edit",
            ),
        )


def notes(experiment: Experiment, names: Iterable[str]) -> list[Text]:
    """Say which of these artefacts differ from the run's recipe; equal differences share one sentence."""
    alike: dict[str, list[Stored[Any]]] = {}
    stored = [artefact for name in names if (artefact := experiment.stored(name))]
    try:
        found = {artefact.name: differences(artefact) for artefact in stored}
    except KdError as error:
        return [f"the run cannot be compared with its recipe: {error.message}"]
    for artefact in stored:
        if found[artefact.name]:
            alike.setdefault(_listed(found[artefact.name]), []).append(artefact)
    return [
        joined(
            f"{', '.join(artefact.name for artefact in several)}: made with {told}; ",
            (as_the_recipe_says(several[0], found[several[0].name]),),
            _what_it_does(found[several[0].name]),
        )
        for told, several in alike.items()
    ]


def _what_it_does(different: Iterable[Difference]) -> str:
    """Say what the command that follows the recipe does: it adds seeds, or makes the artefact again."""
    more = all(difference.key == SEEDS for difference in different)
    return " adds the missing seeds" if more else " would make it again from the recipe"


def _listed(different: Iterable[Difference]) -> str:
    return "; ".join(map(str, different))
