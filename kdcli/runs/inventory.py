"""What a run holds: every artefact with its state, what it is in words, and the command that mends it.

`kd show` and `kd check` tell it. Nothing that lies in the outputs folder makes it fail.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from kdcli.errors import KdError
from kdcli.models import parse_model
from kdcli.runs.artefacts import checked, run_recipe, teacher_command
from kdcli.runs.edits import as_the_recipe_says, differences
from kdcli.runs.recipe import Recipe
from kdcli.runs.schema import LEFT_OUT, describe
from kdcli.runs.student_sets import (
    command,
    default_name,
    left_out,
    own_models,
    position,
    seeds_counted,
    seeds_named,
    title,
    usual_command,
)
from kdcli.store import Condition, DamagedError, Meta, NewerError, Run, State, conditions, resume_points


@dataclass(frozen=True)
class Item:
    """One artefact of a run.

    `differences` say in which settings it is not as the recipe says, and whether what it was made from is,
    and `renew` is the command that makes it so; both are told of what is fresh.

    `again` is the command that makes it again, and `mend` says what to do where it is not fresh; both are
    empty where there is nothing to do or nothing is known. `words` is its configuration.
    """

    name: str
    path: Path
    state: State
    problems: Sequence[str]
    again: str
    mend: str
    words: str
    meta: Meta | None
    differences: Sequence[str] = ()
    renew: str = ""


@dataclass(frozen=True)
class KeptState:
    """What a training keeps to go on from, and whether it can: whether it is as it was written.

    What is of a `newer` kd only that one can tell.
    """

    path: Path
    whole: bool
    newer: bool


def kept_states(run: Run) -> list[KeptState]:
    """Return what trainings of a run keep that were cut off, or still work."""
    return [KeptState(point.path, point.whole, point.newer is not None) for point in resume_points(run)]


def inventory(run: Run) -> list[Item]:
    """Return what a run holds: data, teacher, and student sets in the order of `all_students`.

    Sets whose configuration cannot be read come last; the recipe is among the items if it is damaged.
    """
    found = [_recognised(one) for one in conditions(run)]
    items = [_item(run, one) for one in found]
    try:
        models = own_models(run)
        items = _compared_with(run_recipe(run), run, items)
        broken = []
    except KdError as error:
        models = []
        broken = [_broken_recipe(run, error)]
    others = [item for item in items if not _of_students(item.name)]
    students = [item for item in items if _of_students(item.name)]
    legible = [item for item in students if item.meta]
    legible.sort(key=lambda item: position(item.meta.config if item.meta else {}, item.name, models))
    return [*broken, *others, *legible, *(item for item in students if not item.meta)]


def _compared_with(recipe: Recipe, run: Run, items: Sequence[Item]) -> list[Item]:
    """Return the items with what differs from the recipe, in themselves and in what they were made from."""
    told: dict[str, Item] = {}
    for item in items:
        if item.state == "fresh" and item.meta:
            own = differences(recipe, item.name, item.meta)
            parents = [name for name in item.meta.parents if name in told and told[name].differences]
            made_from = [f"made from {' and '.join(parents)}, not as the recipe says"] if parents else []
            renew = as_the_recipe_says(run, item.name, own) if own else ""
            told[item.name] = replace(item, differences=[*map(str, own), *made_from], renew=renew)
    return [told.get(item.name, item) for item in items]


def _of_students(name: str) -> bool:
    return name.startswith("students/")


def _recognised(one: Condition) -> Condition:
    """Return a condition as damaged, or as newer, if no stage of this kd would have written its record."""
    if one.meta is None:
        return one
    try:
        checked(one.artefact, one.meta)
    except NewerError as error:
        problems = (*one.problems, error.message)
        return replace(
            one, state="newer", problems=problems, meta=None, remove=(), remade=False, advice=error.hint
        )
    except DamagedError as error:
        problems = (*one.problems, error.message)
        return replace(
            one, state="damaged", problems=problems, meta=None, remove=(one.artefact.path,), remade=True
        )
    return one


def _item(run: Run, one: Condition) -> Item:
    name, state = one.artefact.name, one.state
    again = _again(run, name, one.meta) if state != "fresh" and one.remade else ""
    if again and state == "stale":
        again += " --force"
    words = _words(name, one.meta) if one.meta else ""
    return Item(name, one.artefact.path, state, one.problems, again, _mend(one, again), words, one.meta)


def _mend(one: Condition, again: str) -> str:
    """Say how an artefact becomes fresh; empty if it is, or if nothing is known that does."""
    verb = {"stale": "renew it", "damaged": "make it again", "unfinished": "make it"}.get(one.state)
    steps = []
    if one.remove:
        steps.append("remove " + ", ".join(shlex.quote(str(path)) for path in one.remove))
    elif one.state == "unfinished" and not again and os.path.lexists(one.artefact.path):
        steps.append(f"remove {shlex.quote(str(one.artefact.path))}")
    if again:
        steps.append(f"{verb} with `{again}`")
    return " and ".join(steps) or one.advice


def _again(run: Run, name: str, meta: Meta | None) -> str:
    """Return the command that makes an artefact again; empty if it is not known.

    Of a student set that cannot be read it is known if the recipe has one of this name.
    """
    config = meta.config if meta else {}
    try:
        if name == "data":
            run_recipe(run)  # which the command reads
            return run.making + (describe(meta).source if meta else "")
        if name == "teacher":
            return teacher_command(run, config)
        folder = name.removeprefix("students/")
        if config:
            named = "" if folder == default_name(config) else f" --name {folder}"
            return command(run, config, named=named)
        return usual_command(run.artefact(name))
    except KdError:
        pass
    return ""


def _broken_recipe(run: Run, error: KdError) -> Item:
    path = run.recipe_path
    if isinstance(error, NewerError):
        return Item(path.name, path, "newer", (error.message,), "", error.hint, "", None)
    there = os.path.lexists(path)
    problem = error.message if there else f"{path} is not there"
    mend = "correct the file, or put back a copy of it" if there else "put back a copy of the file"
    return Item(path.name, path, "damaged", (problem,), "", mend, "", None)


def _words(name: str, meta: Meta) -> str:
    """Say what an artefact is."""
    if name == "data":
        return _data_words(meta)
    if name == "teacher":
        return ", ".join([str(parse_model(meta.config["model"])), *_training_words(meta.config)])
    config, folder = meta.config, name.removeprefix("students/")
    seeds = seeds_counted(len(config["seeds"]))
    if gone := sorted(chain(*left_out(config).values())):
        seeds = f"{seeds_named(gone)} left out"
    model = str(parse_model(config["model"]))
    return ", ".join([title(config, folder), model, seeds, *_training_words(config)])


def _data_words(meta: Meta) -> str:
    dataset = describe(meta).name
    counts = {"training": "n_train", "validation": "n_val", "test": "n_test"}
    sizes = [f"{meta.metrics[key]:,} {word}" for word, key in counts.items()]
    told = {"dataset", "content", "val_fraction", "n_samples", "n_val", "n_test"}
    others = [_setting(key, value) for key, value in meta.config.items() if key not in told]
    return ", ".join([dataset, *sizes, *others])


def _training_words(config: Mapping[str, Any]) -> list[str]:
    """Say how a model was trained; nothing of one that is not trained by gradients."""
    words = []
    if "epochs" in config:
        words.append(f"{config['epochs']} epoch{'' if config['epochs'] == 1 else 's'}")
    if "batch_size" in config:
        words.append(f"batches of {config['batch_size']}" if config["batch_size"] else "whole batches")
    told = {
        "model",
        "target",
        "temperature",
        "label_weight",
        "smoothing",
        "transfer_size",
        "seeds",
        *LEFT_OUT,
    }
    others = [key for key in config if key not in told | {"epochs", "batch_size"}]
    return words + [_setting(key, config[key]) for key in others]


def _setting(key: str, value: Any) -> str:
    return f"{key.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{key} {value}"
