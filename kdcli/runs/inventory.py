"""The contents of a run: every artefact with its state, its description, and the command that repairs it.

`kd show` and `kd check` print them. Every file is compared with its digest, so that "fresh" is a promise.
No content of the outputs folder makes it fail.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kdcli.errors import Command, KdError, Text, joined
from kdcli.runs.edits import as_the_recipe_says, differences
from kdcli.runs.experiment import Experiment, position
from kdcli.runs.kinds import KINDS
from kdcli.runs.stored import Data, Stored
from kdcli.runs.student_sets import StudentSet
from kdcli.store import (
    NAME,
    Condition,
    DamagedError,
    Meta,
    NewerError,
    Run,
    State,
    damaged,
    names_in,
    resume_points,
    verify,
)

VERBS = {"stale": "renew it", "damaged": "make it again", "unfinished": "make it", "older": "make it again"}
FORCED = ("stale", "older")  # states in which a command replaces an artefact only with --force


@dataclass(frozen=True)
class Item:
    """One artefact of a run.

    For a fresh artefact, `differences` are settings that differ from the recipe, in itself or its parents,
    and `renew` is the command that makes it follow the recipe.

    `again` is the command that makes it again, and `mend` says how to repair one that is not fresh; both are
    empty if there is nothing to do or no command is known. `words` describes its configuration.
    """

    name: str
    path: Path
    state: State
    problems: Sequence[str]
    again: Command | None
    mend: Text
    words: str = ""
    meta: Meta | None = None
    differences: Sequence[str] = ()
    renew: Command | None = None


@dataclass(frozen=True)
class KeptState:
    """The saved state of an unfinished training; it can be resumed if it is `whole`, as it was written.

    Only the `newer` kd that wrote a state can check it.
    """

    path: Path
    whole: bool
    newer: bool


def kept_states(run: Run) -> list[KeptState]:
    """Return the saved states of a run's trainings that were interrupted, or are still running."""
    return [KeptState(point.path, point.whole, point.newer is not None) for point in resume_points(run)]


def inventory(experiment: Experiment) -> list[Item]:
    """Return the artefacts of a run, kind by kind, with student sets in their usual order.

    Artefacts with unreadable records come last in their kind; the recipe is among the items if it is damaged.
    """
    states = conditions(experiment.run)
    items: list[tuple[Item, Stored[Any] | None]] = []
    legible: dict[str, Stored[Any]] = {}
    for condition in states:
        condition, stored = _recognised(experiment, condition)
        if stored:
            legible[stored.name] = stored
        items.append((_item(experiment, condition, stored), stored))
    broken = _broken_recipe(experiment)
    if broken is None:
        items = _compared_with_recipe(items)
    models = experiment.recipe_models
    kinds = list(KINDS)

    def order(entry: tuple[Item, Stored[Any] | None]) -> tuple[object, ...]:
        item, stored = entry
        kind = kinds.index(item.name.partition("/")[0])
        if stored is None or not isinstance(stored.record, StudentSet):
            return (kind, stored is None and KINDS[kinds[kind]].several)
        return (kind, False, position(stored.record, stored.folder, models))

    items.sort(key=order)
    return [*([broken] if broken else []), *(item for item, _ in items)]


def conditions(run: Run) -> list[Condition]:
    """Return the condition of every artefact of a run, kind by kind.

    A missing artefact is unfinished if it is needed: the data, and parents of other artefacts.
    """
    states: dict[str, Condition] = {}
    for kind, declared in KINDS.items():
        folder = run.path / kind
        if not declared.several:
            states[kind] = verify(run.artefact(kind))
        elif os.path.lexists(folder) and not os.path.isdir(folder):
            states[kind] = damaged(run.artefact(kind), f"{folder} is not a folder", remade=False)
        else:
            names = [f"{kind}/{name}" for name in sorted(names_in(folder)) if NAME.fullmatch(name)]
            states |= {name: verify(run.artefact(name)) for name in names}
    first = next(iter(KINDS))
    needed = {first}.union(*(state.meta.parents for state in states.values() if state.meta))
    absent = [
        kind
        for kind in KINDS
        if kind in states and not os.path.lexists(run.path / kind) and kind not in needed
    ]
    for kind in absent:
        del states[kind]
    for name in states:
        states[name] = _aged(states[name], states)
    return list(states.values())


def _aged(condition: Condition, states: Mapping[str, Condition]) -> Condition:
    """Return a fresh condition as stale, or as newer, if the parents of its artefact require it."""
    if condition.state != "fresh" or condition.meta is None:
        return condition
    reasons = []
    for name, digest in condition.meta.parents.items():
        parent = states.get(name)
        if parent and parent.state == "newer":
            reason = f"{name}, which it was made from, is newer: kd cannot know whether this is stale"
            return replace(condition, state="newer", problems=(reason,), remade=False, advice=parent.advice)
        if parent is None or parent.meta is None:
            unusable = {"damaged": "damaged", "older": "in an earlier format"}
            why = unusable.get(parent.state if parent else "", "missing")
            reasons.append(f"{name}, which it was made from, is {why}")
        elif parent.meta.digest != digest:
            reasons.append(f"{name}, which it was made from, has been replaced since")
        elif parent.state == "stale":
            reasons.append(f"{name}, which it was made from, is stale")
    return replace(condition, state="stale", problems=tuple(reasons)) if reasons else condition


def _recognised(experiment: Experiment, condition: Condition) -> tuple[Condition, Stored[Any] | None]:
    """Return a condition as damaged, or as newer, if no stage of this kd could have written its record."""
    if condition.meta is None:
        return condition, None
    name = condition.artefact.name
    try:
        stored = experiment.stored(name)
        if isinstance(stored, Data):
            stored.description  # noqa: B018 read it to see whether it is damaged
        return condition, stored
    except NewerError as error:
        problems = (*condition.problems, error.message)
        newer = replace(
            condition, state="newer", problems=problems, remove=(), remade=False, advice=error.hint
        )
        return replace(newer, meta=None), None
    except DamagedError as error:
        problems = condition.problems if condition.state == "damaged" else (error.message,)
        folder = (condition.artefact.path,)
        return replace(
            condition, state="damaged", problems=problems, meta=None, remove=folder, remade=True
        ), None
    except KdError as error:
        return replace(damaged(condition.artefact, error.message, remade=False), remove=()), None


def _item(experiment: Experiment, condition: Condition, stored: Stored[Any] | None) -> Item:
    name, state = condition.artefact.name, condition.state
    again = None
    if state != "fresh" and condition.remade and _known(experiment, name, stored):
        again = experiment.command(name)
        again = again.adding(force=True) if state in FORCED else again
    return Item(
        name,
        condition.artefact.path,
        state,
        condition.problems,
        again,
        _mend(condition, again),
        ", ".join(_words(stored)) if stored else "",
        condition.meta,
    )


def _words(stored: Stored[Any]) -> list[str]:
    sizes = []
    if isinstance(stored, Data):
        description = stored.description
        names = zip(("training", "validation", "test"), description.sizes.values(), strict=True)
        sizes = [description.name, *(f"{size:,} {name}" for name, size in names)]
    return [*sizes, *stored.record.words(stored.folder)]


def _known(experiment: Experiment, name: str, stored: Stored[Any] | None) -> bool:
    """Whether a command that makes an artefact is known; for an unreadable set, if the recipe has it."""
    try:
        experiment.recipe  # noqa: B018 commands read it
    except KdError:
        return False
    return stored is not None or experiment.remakes(name)


def _mend(condition: Condition, again: Command | None) -> Text:
    """Say how to make an artefact fresh; empty if it is fresh, or if no way is known."""
    steps: list[Text] = []
    path = condition.artefact.path
    if condition.remove:
        steps.append("remove " + ", ".join(shlex.quote(str(path)) for path in condition.remove))
    elif condition.state in ("unfinished", "older") and not again and os.path.lexists(path):
        steps.append(f"remove {shlex.quote(str(path))}")
    if again:
        steps.append((f"{VERBS[condition.state]} with ", again))
    if not steps:
        return condition.advice
    return steps[0] if len(steps) == 1 else joined(steps[0], " and ", steps[1])


def _broken_recipe(experiment: Experiment) -> Item | None:
    path = experiment.run.recipe_path
    try:
        experiment.recipe  # noqa: B018 it is the reading that fails
    except NewerError as error:
        return Item(path.name, path, "newer", (error.message,), None, error.hint)
    except KdError as error:
        there = os.path.lexists(path)
        problem = error.message if there else f"{path} is missing"
        mend = "correct the file, or restore a copy of it" if there else "restore a copy of the file"
        return Item(path.name, path, "damaged", (problem,), None, mend)
    return None


def _compared_with_recipe(
    items: Sequence[tuple[Item, Stored[Any] | None]],
) -> list[tuple[Item, Stored[Any] | None]]:
    """Return the items with their differences from the recipe, in themselves and in their parents."""
    told: dict[str, Item] = {}
    for item, stored in items:
        if item.state == "fresh" and item.meta and stored:
            own = differences(stored)
            parents = [name for name in item.meta.parents if name in told and told[name].differences]
            differ = "differs" if len(parents) == 1 else "differ"
            made_from = (
                [f"made from {' and '.join(parents)}, which {differ} from the recipe"] if parents else []
            )
            renew = as_the_recipe_says(stored, own) if own else None
            told[item.name] = replace(item, differences=[*map(str, own), *made_from], renew=renew)
    return [(told.get(item.name, item), stored) for item, stored in items]
