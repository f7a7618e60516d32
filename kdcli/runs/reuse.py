"""Whether an existing artefact is what a command would make, and can be reused."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from kdcli.errors import Command, KdError, Text, joined
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import kind_of
from kdcli.runs.records import Record
from kdcli.runs.stored import Opened, Stored
from kdcli.store import to_json


def reusable(
    experiment: Experiment,
    name: str,
    record: Record,
    *,
    force: bool,
    given: Collection[str] | None = None,
) -> bool:
    """Whether an artefact was made with this record from the run's current artefacts, and can be reused.

    `given` are the settings that do not come from the run's recipe; None means that none do. False means that
    the artefact may be made, also if it lost a file. Raises `KdError` if another artefact has this name and
    `force` is not given, or if a newer kd wrote it.
    """
    stored = experiment.stored(name, force=force)
    if stored is None:
        return False
    same = stored.record == record
    if same and not stored.stale:
        return all((stored.artefact.path / file).is_file() for file in stored.meta.files)
    if force:
        return False
    if same:
        what = f"{stored.artefact.path} is stale: what it was made from has been replaced since"
        raise KdError(what, "--force replaces it")
    raise _made_otherwise(stored, record, given)


def _made_otherwise(stored: Stored[Any], record: Record, given: Collection[str] | None) -> KdError:
    """Build the error for an artefact that was made with other settings; it names those that both have."""
    then, now = to_json(stored.record.to_record()), to_json(record.to_record())
    missing = object()
    changed = [key for key in {**then, **now} if then.get(key, missing) != now.get(key, missing)]
    shared = [key for key in changed if key in then and key in now]
    edited = [key for key in changed if given is not None and key not in given]
    recipe = stored.experiment.run.recipe_path
    read = "digest" in shared or ("content" in shared and stored.record.parents)
    if read and not {"file", "source"} & set(changed):  # the same file, with another content
        what = f"{stored.artefact.path} was made from a file that has changed since"
        return KdError(what, joined("--force reads it again; ", _keeping_both(stored, bool(edited))))
    if not shared:  # such as a trained teacher and an existing one
        made, wanted = stored.record.words(stored.folder)[0], record.words(stored.folder)[0]
        keep = joined("--force replaces it; ", _keeping_both(stored, bool(edited)))
        return KdError(f"{stored.artefact.path} is {made}, but the command asks for {wanted}", keep)
    told = "; ".join(
        f"{key} = {json.dumps(then.get(key))}, not {json.dumps(now.get(key))}"
        + (f" as {recipe.name} says" if key in edited else "")
        for key in shared
        if key != "digest"
    )
    keep = joined("--force replaces it; ", _keeping_both(stored, bool(edited)))
    if changed == ["draws"]:
        keep = joined(f"--draws {then['draws']} reuses it; ", keep)
    return KdError(f"{stored.artefact.path} was made with {told}", keep)


def _keeping_both(stored: Stored[Any], edited: bool) -> Text:
    """Say how to keep both a stored artefact and the one that was asked for."""
    run, kind = stored.experiment.run, kind_of(stored.name)
    if edited and not stored.record.parents:
        return (run.store.command("gen-data", recipe=str(run.recipe_path), run="NAME"), " keeps both")
    if kind.beside:
        return kind.beside
    return (beside(stored.experiment), " starts another run")


def beside(experiment: Opened) -> Command:
    """Return the command that makes another run with the same data."""
    if experiment.data.dataset.opened:
        recipe = str(experiment.run.recipe_path)
        return experiment.run.store.command("gen-data", recipe=recipe, run="NAME")
    options = experiment.data.record.making(experiment.recipe, "")
    return experiment.run.store.command("gen-data", experiment.recipe.dataset, **options, run="NAME")
