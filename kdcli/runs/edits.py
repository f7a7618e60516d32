"""What was made with other settings than the run's recipe has: by a flag, or before the recipe was edited.

An edit is a change like a flag. Data that are not those of the recipe stop the stages that train on them.
Of all else it is told, since a flag may well have asked for it.
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
    """A setting that something was made with, where the recipe has another value."""

    key: str
    made_with: Any
    recipe: Any

    def __str__(self) -> str:
        return f"{self.key} = {json.dumps(self.made_with)}, and the recipe says {json.dumps(self.recipe)}"


def differences(stored: Stored[Any]) -> list[Difference]:
    """Return in which settings an artefact differs from its run's recipe.

    Of a student set that is none of the recipe's there is nothing to tell, nor of one with more seeds. A
    setting that does not apply to one of both models is none in which they differ.
    """
    asked = stored.record.asked(stored.experiment.recipe, stored.folder, stored.meta.used)
    if asked is None:
        return []
    made, now = (to_json(record.settings_of_recipe()) for record in (stored.record, asked))
    if SEEDS in now:  # more of them than the recipe asks for are no difference
        now[SEEDS] = max(made[SEEDS], stored.experiment.recipe.students.seeds)
    if made.get("dataset") != now.get("dataset"):  # the other settings are of different kinds then
        made, now = ({"dataset": table["dataset"]} for table in (made, now))
    return [Difference(key, made[key], value) for key, value in now.items() if made.get(key, value) != value]


def as_the_recipe_says(stored: Stored[Any], different: Iterable[Difference]) -> Command:
    """Return the command that makes an artefact with these differences as the recipe says."""
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
                " makes them as the recipe says, ",
                run.store.command("gen-data", recipe=recipe, run="NAME"),
                " makes a run beside this one; or undo the edit",
            ),
        )


def notes(experiment: Experiment, names: Iterable[str]) -> list[Text]:
    """Say which of these artefacts of a run differ from its recipe, in one sentence if they differ alike."""
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
    """Say what the command does that makes an artefact as the recipe says: it adds seeds, or replaces it."""
    more = all(difference.key == SEEDS for difference in different)
    return " follows the recipe" if more else " would replace that by what the recipe says"


def _listed(different: Iterable[Difference]) -> str:
    return "; ".join(map(str, different))
